import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

from rave_mm.clip.encoder import load_clip
from rave_mm.enhancers.prompt_enhancer import PromptGuidedEnhancer
from rave_mm.functional import apply_light_map, prompt_score
from rave_mm.losses import prompt_pairs
from rave_mm.networks.light_map_unet import LightMapUNet
from tests.enhancers.batches import Phase
from tests.enhancers.prompt_guided import (
    ENHANCEMENT,
    INITIALISATION,
    LOSSES,
    RECONSTRUCTION,
    REFINEMENT,
    SCALE,
    build,
    started,
)


@pytest.fixture
def model() -> PromptGuidedEnhancer:
    return started()


@pytest.fixture
def photos() -> dict[str, Tensor]:
    return {"img": 0.3 * torch.rand(2, 3, 24, 24), "ref": torch.rand(2, 3, 24, 24)}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, model: PromptGuidedEnhancer) -> list[tuple[Tensor, ...]]:
    """The results that the ranking was handed."""
    handed: list[tuple[Tensor, ...]] = []
    loss = model.losses["ranking"]
    compute = loss.forward

    def forward(pair: Tensor, backlit: Tensor, well_lit: Tensor, results: Any = ()) -> Tensor:
        handed.append(tuple(results))
        return compute(pair, backlit, well_lit, results)

    monkeypatch.setattr(loss, "forward", forward)
    return handed


def change(generator: nn.Module, brightness: float) -> dict[str, Tensor]:
    """Stands for the training of an enhancement phase."""
    with torch.no_grad():
        generator.conv_out.weight.zero_()
        generator.conv_out.bias.fill_(1 / brightness)
    return {name: value.clone() for name, value in generator.state_dict().items()}


def gradients(module: nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in module.parameters() if p.grad is not None)


def test_registered() -> None:
    assert MODELS.get("PromptGuidedEnhancer") is PromptGuidedEnhancer


@pytest.mark.parametrize("pair", ["PromptPair", "LatentPair"])
@pytest.mark.parametrize(
    "phase", [INITIALISATION, RECONSTRUCTION, ENHANCEMENT, REFINEMENT], ids=lambda p: p.name
)
def test_each_phase_teaches_what_it_trains(
    phase: Phase, pair: str, photos: dict[str, Tensor]
) -> None:
    model = build(pair={"type": pair})
    model.init_weights()
    if pair == "PromptPair":  # which starts with two equal prompts
        model.pair.values.data.add_(0.02 * torch.randn_like(model.pair.values))
    model.start_phase(phase)
    terms = model(photos, mode="loss")
    assert {name for name in terms if "loss" in name} == {f"loss_{name}" for name in phase.losses}
    sum(value for name, value in terms.items() if "loss" in name).backward()
    other = "generator" if phase.trains == "pair" else "pair"
    assert gradients(getattr(model, phase.trains)) > 0
    assert gradients(getattr(model, other)) == 0
    assert gradients(model.snapshot) == 0


def test_guidance_is_the_score_of_the_result_by_the_pair(
    model: PromptGuidedEnhancer, photos: dict[str, Tensor]
) -> None:
    model.start_phase(ENHANCEMENT)
    terms = model(photos, mode="loss")
    embeddings = model.pair.clip.embed(model(photos["img"]))
    wanted = 10 * prompt_score(embeddings, model.pair.vectors, SCALE).mean()
    torch.testing.assert_close(terms["loss_guidance"], wanted)


def test_a_guidance_with_a_pair_of_its_own_keeps_it(
    photos: dict[str, Tensor], tmp_path: Path
) -> None:
    path = str(tmp_path / "pair.pth")
    prompt_pairs.LatentPair().export(path)
    model = build(losses=LOSSES | {"fixed": {"type": "CLIPEnhanceLoss", "pair": path}})
    model.init_weights()
    model.start_phase(Phase("enhancement", "generator", ("guidance", "fixed")))
    terms = model(photos, mode="loss")
    assert (terms["loss_guidance"] / 10 - terms["loss_fixed"]).abs() > 1e-4


def test_the_results_of_each_round(
    model: PromptGuidedEnhancer, photos: dict[str, Tensor], seen: list[tuple[Tensor, ...]]
) -> None:
    def refine() -> tuple[Tensor, ...]:
        model.start_phase(REFINEMENT)
        model(photos, mode="loss")
        model.finish_phase(REFINEMENT)
        return seen[-1]

    def enhance(brightness: float) -> None:
        model.start_phase(ENHANCEMENT)
        change(model.generator, brightness)
        model.finish_phase(ENHANCEMENT)

    for phase in (INITIALISATION, RECONSTRUCTION):
        model.start_phase(phase)
        model.finish_phase(phase)
    assert refine() == ()
    enhance(1.25)
    (newest,) = refine()
    torch.testing.assert_close(newest, 1.25 * photos["img"])
    for older, brightness in ((1.25, 1.5), (1.5, 2.0)):
        enhance(brightness)
        before, now = refine()
        torch.testing.assert_close(before, older * photos["img"])
        torch.testing.assert_close(now, brightness * photos["img"])
        assert not before.requires_grad and not now.requires_grad


def test_no_more_results_are_computed_than_are_ranked(
    photos: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper's ablation without I_{t-1}."""
    model = build(losses=LOSSES | {"ranking": {"type": "PromptRankingLoss", "max_results": 1}})
    model.init_weights()
    for _ in range(2):
        model.start_phase(ENHANCEMENT)
        model.finish_phase(ENHANCEMENT)
    monkeypatch.setattr(model.snapshot, "forward", lambda _: pytest.fail("was asked"))
    model.start_phase(REFINEMENT)
    assert set(model(photos, mode="loss")) == {"loss_ranking"}


def test_resuming_within_an_enhancement_phase_keeps_the_snapshot(
    model: PromptGuidedEnhancer, photos: dict[str, Tensor], seen: list[tuple[Tensor, ...]]
) -> None:
    model.start_phase(ENHANCEMENT)
    change(model.generator, 1.25)
    model.finish_phase(ENHANCEMENT)
    model.start_phase(ENHANCEMENT)
    change(model.generator, 1.5)
    saved = copy.deepcopy(model.state_dict())
    change(model.generator, 4.0)
    model.load_state_dict(saved)
    model.start_phase(ENHANCEMENT)
    change(model.generator, 2.0)
    # Not told that it is finished: a checkpoint may be from just before.
    model.start_phase(REFINEMENT)
    model(photos, mode="loss")
    torch.testing.assert_close(seen[-1][0], 1.25 * photos["img"])
    torch.testing.assert_close(seen[-1][1], 2.0 * photos["img"])


def test_the_network_is_asked_as_in_a_test_and_left_as_it_was(
    model: PromptGuidedEnhancer, photos: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model.start_phase(ENHANCEMENT)
    model.start_phase(REFINEMENT)
    model.train()
    modes: list[bool] = []
    forward = model.generator.forward

    def watch(x: Tensor) -> Tensor:
        modes.append(model.generator.training)
        return forward(x)

    monkeypatch.setattr(model.generator, "forward", watch)
    model(photos, mode="loss")
    assert modes == [False] and model.generator.training


OTHER = {"antialias": True}


def test_a_loss_must_look_through_the_pairs_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(losses=LOSSES | {"ranking": {"type": "PromptRankingLoss", "clip": OTHER}})
    monkeypatch.setattr(load_clip(antialias=True), "fingerprint", "a" * 16)
    with pytest.raises(ValueError, match=r"losses\.ranking: got the CLIP lighting-clip, expected"):
        model.init_weights()


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (
            Phase("p", "pair", ("guidance",)),
            "'guidance' teaches the generator, but.*trains the pair",
        ),
        (Phase("p", "generator", ("identity", "ranking")), "'ranking' teaches the pair, but"),
        (Phase("p", "losses", ("ranking",)), "trains='losses', expected 'generator' or 'pair'"),
        (Phase("p", "pair", ("rank",)), r"losses: got \['rank'\], expected some of"),
        (Phase("p", "pair", ()), r"losses: got \[\], expected some of"),
    ],
)
def test_a_phase_that_cannot_be_is_refused(
    phase: Phase, message: str, model: PromptGuidedEnhancer
) -> None:
    with pytest.raises(ValueError, match=message):
        model.check_phase(phase)
    with pytest.raises(ValueError, match=message):
        model.start_phase(phase)
    assert model.active_losses == tuple(LOSSES)


@pytest.mark.parametrize(
    ("phase", "rate"), [(INITIALISATION, 0.05), (ENHANCEMENT, 1e-3), (REFINEMENT, 0.05)]
)
def test_training_lowers_the_loss_of_each_phase(
    phase: Phase, rate: float, model: PromptGuidedEnhancer, photos: dict[str, Tensor]
) -> None:
    if phase is REFINEMENT:
        model.start_phase(ENHANCEMENT)
        change(model.generator, 1.5)
        model.finish_phase(ENHANCEMENT)
    model.start_phase(phase)
    optimizer = torch.optim.Adam(getattr(model, phase.trains).parameters(), rate)
    values = []
    for _ in range(6):
        optimizer.zero_grad()
        terms = model(photos, mode="loss")
        total = torch.stack([value for name, value in terms.items() if "loss" in name]).sum()
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert values[-1] < values[0] - 0.01


def test_predicting_takes_no_pair(photos: dict[str, Tensor]) -> None:
    model = build(pair={"type": "PromptPair"})
    assert isinstance(model.generator, LightMapUNet)
    for inputs in (photos, photos["img"]):
        wanted = apply_light_map(photos["img"], model.generator(photos["img"]))
        torch.testing.assert_close(model(inputs), wanted)
