import pytest
import torch

import rave_mm.register  # noqa: F401 - before MMagic, which the model imports
from rave_mm.enhancers import collapse
from rave_mm.enhancers.backlit_enhancer import BacklitEnhancer
from rave_mm.enhancers.collapse import CollapseWatch
from rave_mm.functional import apply_light_map


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(collapse, "print_log", lambda text, *_: lines.append(text))
    return lines


def photos(darkest: float) -> torch.Tensor:
    made = torch.full((2, 3, 4, 4), 0.5)
    made[0, 0, 0, 0], made[1, 2, 3, 3] = darkest, 0.0
    return made


def test_it_warns_where_no_pixel_has_a_gradient_and_only_there(said: list[str]) -> None:
    light_map = torch.full((2, 1, 4, 4), 0.1, requires_grad=True)
    for darkest, alive in ((0.05, True), (0.2, False)):
        watch = CollapseWatch(patience=3)
        for _ in range(5):
            enhanced = apply_light_map(photos(darkest), light_map)
            watch.look(enhanced, photos(darkest))
        (gradient,) = torch.autograd.grad(enhanced.sum(), light_map)
        assert bool(gradient.any()) == alive == (said == [])
    assert len(said) == 1, "once"
    assert said[0].startswith("every pixel of the last 3 batches")


def test_one_batch_that_is_not_white_and_it_counts_anew(said: list[str]) -> None:
    watch = CollapseWatch(patience=3)
    white, good = torch.ones(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.9)
    for enhanced in (white, white, good, white, white, white):
        watch.look(enhanced, torch.full((1, 3, 2, 2), 0.5))
    assert said == []
    watch.look(white, torch.full((1, 3, 2, 2), 0.5))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("light_map", "told"),
    [(1e4, "every result is black"), (1.0, "1 everywhere"), (0.5, None), (0.999, None)],
)
def test_black_and_unchanged_are_told_too(
    light_map: float, told: str | None, said: list[str]
) -> None:
    watch = CollapseWatch(patience=3)
    maps = torch.full((2, 1, 4, 4), light_map)
    for _ in range(5):
        watch.look(apply_light_map(photos(0.05) * 0.9 + 0.05, maps), photos(0.05) * 0.9 + 0.05)
    assert len(said) == (told is not None)
    assert told is None or told in said[0]


def test_in_a_reconstruction_photos_may_stay_as_they_are(said: list[str]) -> None:
    watch = CollapseWatch(patience=3)
    for _ in range(9):
        watch.look(photos(0.05), photos(0.05), may_stay=True)
    assert said == []


def test_training_says_it(said: list[str]) -> None:
    model = BacklitEnhancer(
        {"type": "LightMapUNet", "start": "normal"},
        {"identity": {"type": "CLIPIdentityLoss"}},
    )
    with torch.no_grad():
        model.generator.conv_out.weight.zero_()
        model.generator.conv_out.bias.fill_(0.01)
    for _ in range(21):
        assert said == []
        model.forward_train(torch.rand(1, 3, 16, 16) * 0.9 + 0.1)
    assert len(said) == 1 and "generator.start='identity'" in said[0]
