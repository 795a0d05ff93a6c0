from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.functional import PUBLISHED_MARGINS, clip_enhance_loss, prompt_score
from rave_mm.losses.prompt_losses import (
    CLIPEnhanceLoss,
    PromptInitialisationLoss,
    PromptLoss,
    PromptRankingLoss,
)
from rave_mm.losses.prompt_pairs import LatentPair, Pair, PromptPair, pair_from_file

Reference = dict[str, Tensor]


@pytest.fixture
def golden(reference_losses: dict[str, np.ndarray]) -> Reference:
    return {name: torch.from_numpy(value) for name, value in reference_losses.items()}


@pytest.fixture
def clip(reference: Path) -> dict[str, str]:
    return {"model": "openai", "pretrained": str(reference / "clip_vit.pt")}


@pytest.fixture
def golden_pairs(golden: Reference, clip: dict[str, str], tmp_path: Path) -> dict[str, Pair]:
    pairs = {}
    for kind, key, name in (
        ("prompt", "embedding_prompt", "prompt_embedding"),
        ("latent", "guidance_embeddings", "latent_pair"),
    ):
        torch.save({f"module.{key}": golden[name]}, tmp_path / f"{kind}.pth")
        pairs[kind] = pair_from_file(tmp_path / f"{kind}.pth", clip)
    return pairs


def assert_agrees(found: Tensor | None, wanted: Tensor, tolerance: float = 1e-5) -> None:
    """Each value, relative to the largest."""
    assert found is not None and found.shape == wanted.shape
    assert (found.double() - wanted).abs().max() <= tolerance * wanted.abs().max()


def test_registered_under_names_that_others_rely_on() -> None:
    for kind in (CLIPEnhanceLoss, PromptInitialisationLoss, PromptRankingLoss):
        assert MODELS.get(kind.__name__) is kind


def test_golden_clip_enhance_and_gradient(
    golden: Reference, golden_pairs: dict[str, Pair], clip: dict[str, str]
) -> None:
    enhanced = golden["enhanced"].clone().requires_grad_()
    pair = golden_pairs["latent"]().detach()
    loss = CLIPEnhanceLoss(clip=clip)(enhanced, golden["backlit"], pair=pair)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden["clip_enhance"]), rel=1e-5)
    # The published gradient itself is 0.97e-5 away from float64's, and float32 may round as far to
    # the other side: see tests/functional/test_published.py.
    assert_agrees(enhanced.grad, golden["clip_enhance_grad"], 2e-5)


@pytest.mark.parametrize("kind", ["prompt", "latent"])
def test_golden_initialisation_and_gradient(
    kind: str, golden: Reference, golden_pairs: dict[str, Pair], clip: dict[str, str]
) -> None:
    pair = golden_pairs[kind]
    loss = PromptInitialisationLoss(clip=clip)(pair(), golden["backlit"], golden["well_lit"])
    loss.backward()
    assert loss.item() == pytest.approx(float(golden[f"{kind}_init_loss"]), rel=1e-5)
    assert_agrees(pair.values.grad, golden[f"{kind}_init_loss_grad"])


@pytest.mark.parametrize("kind", ["prompt", "latent"])
@pytest.mark.parametrize(
    ("results", "name"),
    [([], "ranking_2"), (["enhanced"], "ranking_3")],
    ids=["round 0", "round 1"],
)
def test_golden_ranking_and_its_gradient(
    kind: str,
    results: list[str],
    name: str,
    golden: Reference,
    golden_pairs: dict[str, Pair],
    clip: dict[str, str],
) -> None:
    """The gradient against the equation, in float64, on the published embeddings of the photos."""
    pair = golden_pairs[kind]
    loss = PromptRankingLoss(clip=clip)(
        pair(), golden["backlit"], golden["well_lit"], [golden[name] for name in results]
    )
    loss.backward()
    assert loss.item() == pytest.approx(float(golden[f"{kind}_{name}"]), rel=1e-5)

    learned = pair.values.detach().double().requires_grad_()
    if kind == "prompt":
        exact = FrozenCLIP(**clip)
        exact._model.double()
        tower = exact.text_tower
        hidden = tower.transformer(learned + tower.positional_embedding, attn_mask=tower.attn_mask)
        vectors = tower.ln_final(hidden)[:, 17] @ tower.text_projection
    else:
        vectors = learned
    unit = vectors / vectors.norm(dim=1, keepdim=True)

    def score(photos: str) -> Tensor:
        return torch.softmax(100 * golden[f"z_{photos}"].double() @ unit.T, 1)[:, 0]

    b, w = score("backlit"), score("well_lit")
    if results:
        t = score("enhanced")
        terms = (w - b + 0.9).relu() + (t - b + 0.9).relu() + (w - t + 0.2).relu()
    else:
        terms = (w - b + 1).relu()
    (expected,) = torch.autograd.grad(terms.mean(), learned)
    assert_agrees(pair.values.grad, expected, 2e-5)  # saturated scores, as above


@pytest.fixture
def pictures() -> tuple[Tensor, ...]:
    backlit, well_lit, older, newer = torch.rand(4, 2, 3, 24, 32)
    return 0.2 * backlit, well_lit, 0.4 * older, 0.7 * newer


def hand_ranking(scores: Sequence[Tensor], margins: Sequence[float]) -> Tensor:
    b, w, *results = scores
    if not results:
        return (w - b + margins[0]).relu().mean()
    terms = (w - b + margins[0]).relu() + (results[0] - b + margins[0]).relu()
    terms = terms + (w - results[-1] + margins[1]).relu()
    if len(results) == 2:
        terms = terms + (results[1] - results[0] + margins[2]).relu()
    return terms.mean()


@pytest.mark.parametrize("most", [0, 1, 2])
@pytest.mark.parametrize("given", [0, 1, 2])
def test_ranking_takes_the_newest_results(
    most: int, given: int, pictures: tuple[Tensor, ...]
) -> None:
    backlit, well_lit, older, newer = pictures
    pair = LatentPair()()
    results = [older, newer][2 - given :]
    taken = results[max(0, given - most) :]
    loss = PromptRankingLoss(max_results=most, loss_weight=200.0)
    scores = [prompt_score(loss.clip.embed(p), pair) for p in (backlit, well_lit, *taken)]
    wanted = 200 * hand_ranking(scores, PUBLISHED_MARGINS[len(taken)])
    torch.testing.assert_close(loss(pair, backlit, well_lit, results), wanted, rtol=1e-4, atol=1e-4)


def test_margins_are_those_of_the_number_of_results(pictures: tuple[Tensor, ...]) -> None:
    pair = torch.ones(2, 256)  # all scores are 1/2, so the margins alone remain
    loss = PromptRankingLoss(margins=[(0.5,), (0.3, 0.2), (0.1, 0.01, 0.001)])
    for count, wanted in ((0, 0.5), (1, 2 * 0.3 + 0.2), (2, 2 * 0.1 + 0.01 + 0.001)):
        found = loss(pair, *pictures[:2], pictures[2 : 2 + count])
        assert found.item() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_results": 3}, "max_results: got 3, expected 0, 1 or 2"),
        ({"margins": [(1.0,)]}, "for each number of results from 0 to 2, one margin more"),
        ({"margins": [(1.0,), (0.9,), (0.9, 0.1, 0.1)]}, "margins: got"),
    ],
)
def test_bad_settings_of_ranking(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptRankingLoss(**settings)


def test_fewer_margins_do_for_fewer_results() -> None:
    assert PromptRankingLoss(max_results=0, margins=[(1.0,)]).margins == ((1.0,),)


@pytest.mark.parametrize("loss", [PromptInitialisationLoss(), PromptRankingLoss()])
def test_the_gradient_reaches_the_pair_alone(
    loss: PromptLoss, pictures: tuple[Tensor, ...]
) -> None:
    given = [picture.requires_grad_() for picture in pictures]
    pair = LatentPair()
    loss(pair(), given[0], given[1], given[2:]).backward()
    assert pair.values.grad is not None and pair.values.grad.abs().sum() > 0
    assert all(picture.grad is None for picture in given)


def test_pictures_of_a_size_are_embedded_in_one_pass(
    pictures: tuple[Tensor, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = PromptRankingLoss()
    large = torch.rand(3, 3, 40, 40)
    wanted = [loss.clip.embed(p) for p in (pictures[0], large, *pictures[2:])]
    passes: list[int] = []
    embed = FrozenCLIP.embed

    def count(self: FrozenCLIP, images: Tensor) -> Tensor:
        passes.append(len(images))
        return embed(self, images)

    monkeypatch.setattr(FrozenCLIP, "embed", count)
    found = loss.embed(pictures[0], large, *pictures[2:])
    assert sorted(passes) == [3, 6]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_channel_order_and_value_range_lead_to_the_same_value(
    pictures: tuple[Tensor, ...],
) -> None:
    pair = LatentPair()()
    other = PromptRankingLoss(channel_order="bgr", value_range=(-1.0, 1.0))
    turned = [picture.flip(1) * 2 - 1 for picture in pictures]
    torch.testing.assert_close(
        other(pair, *turned[:2], turned[2:]),
        PromptRankingLoss()(pair, *pictures[:2], pictures[2:]),
        rtol=1e-4,
        atol=1e-5,
    )


def test_initialisation_learns_which_is_which(pictures: tuple[Tensor, ...]) -> None:
    pair = LatentPair()
    loss = PromptInitialisationLoss()
    optimizer = torch.optim.Adam(pair.parameters(), 5e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss(pair(), pictures[0], pictures[1]).backward()
        optimizer.step()
    backlit, well_lit = loss.embed(pictures[0], pictures[1])
    assert prompt_score(backlit, pair()).min() > 0.9
    assert prompt_score(well_lit, pair()).max() < 0.1


def test_clip_enhance_needs_one_pair(tmp_path: Path) -> None:
    images = torch.rand(1, 3, 32, 32)
    with pytest.raises(ValueError, match="got no pair: expected either pair= with the file"):
        CLIPEnhanceLoss()(images, images)
    LatentPair().export(tmp_path / "pair.pth")
    with pytest.raises(ValueError, match="got two pairs"):
        CLIPEnhanceLoss(tmp_path / "pair.pth")(images, pair=torch.ones(2, 256))


@pytest.mark.parametrize("kind", [PromptPair, LatentPair])
def test_a_pixel_loss_of_any_model_with_a_fixed_pair(kind: type[Pair], tmp_path: Path) -> None:
    pair = kind(start="random") if kind is PromptPair else kind()
    path = str(tmp_path / "pair.pth")
    pair.export(path)
    loss: Any = MODELS.build({"type": "CLIPEnhanceLoss", "pair": path, "loss_weight": 320.0})
    pred, target = torch.rand(2, 2, 3, 32, 32).unbind()
    pred.requires_grad_()
    value = loss(pred, target)
    value.backward()
    wanted = 320 * clip_enhance_loss(loss.clip.embed(pred), pair())
    torch.testing.assert_close(value, wanted)
    assert pred.grad is not None and not list(loss.parameters()) and not loss.state_dict()


def test_a_fixed_pair_is_read_and_encoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PromptPair().export(tmp_path / "pair.pth")
    loss = CLIPEnhanceLoss(tmp_path / "pair.pth")
    assert loss.vectors.numel() == 0
    nn.ModuleList([loss])[0].init_weights()
    (tmp_path / "pair.pth").unlink()
    monkeypatch.setattr(FrozenCLIP, "embed_prompts", lambda *_: pytest.fail("encoded again"))
    loss(torch.rand(1, 3, 32, 32))


def test_a_missing_file_is_told_when_training_starts(tmp_path: Path) -> None:
    loss = CLIPEnhanceLoss(tmp_path / "pair.pth")
    with pytest.raises(FileNotFoundError, match=r"pair\.pth"):
        loss.init_weights()


def test_scale_belongs_to_the_clip() -> None:
    """With a tenth of the scale, the losses are those of a tenth of the cosines."""
    photos = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    vectors = nn.functional.normalize(
        torch.randn(2, 256, generator=torch.Generator().manual_seed(1)), dim=1
    )
    loss = CLIPEnhanceLoss(scale=10.0)
    embeddings = loss.clip.embed(photos)
    wanted = torch.sigmoid(10.0 * (embeddings @ (vectors[0] - vectors[1])))
    torch.testing.assert_close(loss(photos, pair=vectors), wanted.mean())
    ranking = PromptRankingLoss(scale=10.0)(vectors, photos[:1], photos[1:])
    torch.testing.assert_close(ranking, (wanted[1] - wanted[0] + 1).clamp_min(0))
    start = PromptInitialisationLoss(scale=10.0)(vectors, photos[:1], photos[1:])
    right = torch.stack([wanted[0], 1 - wanted[1]])
    torch.testing.assert_close(start, -right.log().mean())
