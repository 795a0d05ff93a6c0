import copy
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.clip.encoder import load_clip
from rave_mm.models import losses
from rave_mm.models.losses import CLIPIdentityLoss, ResidualGuidanceLoss
from rave_mm.residual import Provenance, ResidualVector


def provenance(fingerprint: str) -> Provenance:
    return Provenance("a CLIP", fingerprint, "w", "b", 3, 2, 0, "mean", "2026-01-01T00:00:00+00:00")


def bundled_residual(seed: int = 0) -> ResidualVector:
    clip = load_clip()
    vector = torch.nn.functional.normalize(
        torch.randn(clip.dimension, generator=torch.Generator().manual_seed(seed)), dim=0
    )
    return ResidualVector(vector, 0.3, provenance(clip.fingerprint))


@pytest.fixture
def guidance() -> ResidualGuidanceLoss:
    loss = ResidualGuidanceLoss()
    loss.set_residual(bundled_residual())
    return loss


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the losses say."""
    said: list[str] = []
    monkeypatch.setattr(losses, "print_log", lambda message, *_: said.append(message))
    return said


def reference_clip(reference: Path, tower: str) -> dict[str, str]:
    return {"model": "openai", "pretrained": str(reference / f"clip_{tower}.pt")}


def test_golden_guidance_and_gradient(
    reference: Path, reference_losses: dict[str, np.ndarray]
) -> None:
    golden = reference_losses
    loss = ResidualGuidanceLoss(clip=reference_clip(reference, "vit"))
    vector = torch.from_numpy(golden["residual"][0])
    loss.set_residual(
        ResidualVector(vector, float(golden["target"]), provenance(loss.clip.fingerprint))
    )
    enhanced = torch.from_numpy(golden["enhanced"]).requires_grad_()
    value = loss(enhanced, torch.from_numpy(golden["backlit"]))
    value.backward()
    assert value.item() == pytest.approx(float(golden["residual_guidance"]), rel=1e-5)
    assert_gradient(enhanced, golden["residual_guidance_grad"])


@pytest.mark.parametrize(
    ("name", "layer_weights"),
    [("identity", (1, 1, 1, 1, 0.5)), ("reconstruction", (1, 1, 1, 1, 1))],
)
def test_golden_identity_and_gradient(
    reference: Path,
    reference_losses: dict[str, np.ndarray],
    name: str,
    layer_weights: tuple[float, ...],
) -> None:
    golden = reference_losses
    loss = CLIPIdentityLoss(layer_weights, clip=reference_clip(reference, "resnet"))
    enhanced = torch.from_numpy(golden["enhanced"]).requires_grad_()
    value = loss(enhanced, torch.from_numpy(golden["backlit"]))
    value.backward()
    assert value.item() == pytest.approx(float(golden[name]), rel=1e-5)
    assert_gradient(enhanced, golden[f"{name}_grad"])


def assert_gradient(enhanced: torch.Tensor, expected: np.ndarray) -> None:
    """1e-5 of the largest component: the small ones are sums that nearly cancel."""
    assert enhanced.grad is not None
    assert np.abs(enhanced.grad.numpy() - expected).max() <= 1e-5 * np.abs(expected).max()


def test_registered_under_names_that_others_rely_on() -> None:
    assert MODELS.get("ResidualGuidanceLoss") is ResidualGuidanceLoss
    assert MODELS.get("CLIPIdentityLoss") is CLIPIdentityLoss


def test_channel_order_and_value_range_lead_to_the_same_value(
    guidance: ResidualGuidanceLoss,
) -> None:
    rgb = torch.rand(2, 3, 32, 32)
    other = ResidualGuidanceLoss(channel_order="bgr", value_range=(-1.0, 1.0))
    other.set_residual(bundled_residual())
    torch.testing.assert_close(other(rgb.flip(1) * 2 - 1), guidance(rgb))
    assert abs(float(guidance(rgb.flip(1)) - guidance(rgb))) > 1e-6


def test_weight_scales(guidance: ResidualGuidanceLoss) -> None:
    images = torch.rand(1, 3, 32, 32)
    once = guidance(images)
    guidance.loss_weight = 3.0
    torch.testing.assert_close(guidance(images), 3 * once)


def test_frozen_clip_stays_out_of_checkpoint_and_parameters(guidance: ResidualGuidanceLoss) -> None:
    guidance(torch.rand(1, 3, 32, 32))
    assert set(guidance.state_dict()) == {"vector", "target", "provenance"}
    assert not list(guidance.parameters())
    guidance.train()
    assert not guidance.clip._model.training
    assert copy.deepcopy(guidance).clip is guidance.clip


def test_checkpoint_carries_the_residual(guidance: ResidualGuidanceLoss) -> None:
    fresh = ResidualGuidanceLoss()
    fresh.load_state_dict(guidance.state_dict())
    assert fresh.residual.provenance == guidance.residual.provenance
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(fresh(images), guidance(images))


def test_configs_residual_stays_when_a_checkpoint_has_another(
    guidance: ResidualGuidanceLoss, log: list[str]
) -> None:
    other = ResidualGuidanceLoss()
    other.set_residual(bundled_residual(seed=1))
    before = guidance.vector.clone()
    guidance.load_state_dict(other.state_dict())
    torch.testing.assert_close(guidance.vector, before)
    (message,) = log
    assert re.search(
        r"differs from the config's \(cosine -?0\.\d+\): the config's is used", message
    )


@pytest.mark.parametrize("width", [256, 64])
def test_configs_residual_stays_when_a_checkpoint_is_of_another_clip(
    guidance: ResidualGuidanceLoss, log: list[str], width: int
) -> None:
    before = guidance.vector.clone()
    guidance.load_state_dict(foreign_state(width))
    torch.testing.assert_close(guidance.vector, before)
    (message,) = log
    assert f"is of another CLIP (a CLIP, {width} components): the config's is used" in message


def test_the_same_residual_is_taken_in_silence(
    guidance: ResidualGuidanceLoss, log: list[str]
) -> None:
    guidance.load_state_dict(guidance.state_dict())
    guidance.load_state_dict(ResidualGuidanceLoss().state_dict())  # one that has none
    assert not log
    assert guidance.residual.target == pytest.approx(0.3)


@pytest.mark.parametrize("width", [256, 64])
def test_a_checkpoints_residual_of_another_clip_is_refused_at_the_first_step(width: int) -> None:
    loss = ResidualGuidanceLoss()
    loss.load_state_dict(foreign_state(width))
    with pytest.raises(ValueError, match=r"computed with the CLIP a CLIP \(f00d\), but the loss"):
        loss(torch.rand(1, 3, 8, 8))


def test_the_clip_is_checked_once(
    guidance: ResidualGuidanceLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = ResidualGuidanceLoss()
    fresh.load_state_dict(guidance.state_dict())
    fresh(torch.rand(1, 3, 8, 8))
    monkeypatch.setattr(fresh, "_check_clip", lambda _: pytest.fail("was checked again"))
    fresh(torch.rand(1, 3, 8, 8))


def foreign_state(width: int) -> dict[str, torch.Tensor]:
    """A checkpoint with the residual vector of another CLIP."""
    other = ResidualGuidanceLoss()
    other.set_residual(bundled_residual())
    origin = json.dumps(asdict(provenance("f00d"))).encode()
    return other.state_dict() | {
        "vector": torch.ones(width) / width**0.5,
        "provenance": torch.frombuffer(bytearray(origin), dtype=torch.uint8),
    }


def test_a_copy_shares_the_residual(guidance: ResidualGuidanceLoss) -> None:
    """A copy of the model that is made before the vector is known, as EMAHook's, has it later."""
    model = torch.nn.ModuleDict({"guidance": ResidualGuidanceLoss()})
    average: Any = copy.deepcopy(model)
    model.load_state_dict(torch.nn.ModuleDict({"guidance": guidance}).state_dict())
    torch.testing.assert_close(average["guidance"].vector, guidance.vector)


def test_without_residual_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="no residual vector yet: give residual="):
        ResidualGuidanceLoss()(torch.rand(1, 3, 8, 8))


def test_residual_of_another_clip_is_refused() -> None:
    loss = ResidualGuidanceLoss()
    with pytest.raises(ValueError, match=r"computed with the CLIP a CLIP \(f00d\)"):
        loss.set_residual(ResidualVector(torch.ones(256) / 16, 0.1, provenance("f00d")))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The order of what `init_weights` does."""
    done: list[str] = []

    def load(**_: Any) -> Any:
        done.append("load the CLIP")
        return load_clip()

    def compute(*_: Any, **__: Any) -> ResidualVector:
        done.append("compute the residual")
        return bundled_residual()

    monkeypatch.setattr(losses, "load_clip", load)
    monkeypatch.setattr(losses, "residual_from_folders", compute)
    monkeypatch.setattr(ResidualGuidanceLoss, "_check_clip", lambda *_: None)
    monkeypatch.setattr(losses, "barrier", lambda: done.append("meet"))
    return done


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_process_loads_and_the_others_wait(
    rank: int, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "get_rank", lambda: rank)
    ResidualGuidanceLoss({"well_lit": "w", "backlit": "b"}).init_weights()
    assert steps.count("meet") == 1
    assert steps.index("meet") == (0 if rank else len(steps) - 1)
    assert {"load the CLIP", "compute the residual"} < set(steps)


def test_the_others_do_not_wait_for_a_process_that_failed(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise FileNotFoundError("no weights")

    monkeypatch.setattr(losses, "load_clip", fail)
    with pytest.raises(FileNotFoundError, match="no weights"):
        CLIPIdentityLoss().init_weights()
    assert steps == ["meet"]


def test_identity_needs_stages_when_training_starts(reference: Path) -> None:
    loss = CLIPIdentityLoss(clip=reference_clip(reference, "vit"))
    with pytest.raises(TypeError, match="the identity loss needs the stages of a ModifiedResNet"):
        loss.init_weights()


def test_residual_is_read_from_a_file_when_training_starts(tmp_path: Path) -> None:
    bundled_residual().save(tmp_path / "residual.npz")
    loss = ResidualGuidanceLoss(residual=str(tmp_path / "residual.npz"))
    assert loss.vector.numel() == 0
    loss.init_weights()
    torch.testing.assert_close(loss.vector, bundled_residual().vector)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channel_order": "rbg"}, "channel_order: got 'rbg', expected one of rgb, bgr"),
        ({"value_range": (1, 0)}, r"value_range: got \(1, 0\), expected \(black, white\)"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLIPIdentityLoss(**settings)


def test_identity_needs_five_weights() -> None:
    with pytest.raises(ValueError, match="layer_weights: got 4, expected 5"):
        CLIPIdentityLoss(layer_weights=(1, 1, 1, 1))


def test_identity_is_zero_for_the_same_picture_and_sums_over_the_batch() -> None:
    loss = CLIPIdentityLoss()
    first, second = torch.rand(2, 1, 3, 32, 32).unbind()
    assert float(loss(first, first)) == 0
    together = loss(torch.cat([first, first]), torch.cat([second, second]))
    torch.testing.assert_close(together, 2 * loss(first, second), rtol=1e-4, atol=1e-7)


def test_identity_gradient_reaches_the_picture_alone() -> None:
    pred, reference = torch.rand(2, 1, 3, 32, 32).unbind()
    pred.requires_grad_(), reference.requires_grad_()
    CLIPIdentityLoss()(pred, reference).backward()
    assert pred.grad is not None and reference.grad is None


def test_identity_gives_the_gradient_of_the_joint_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """DDP averages the gradients of two processes, of which each has a half of the batch."""
    loss = CLIPIdentityLoss()
    photos = torch.rand(4, 3, 32, 32)

    def gradient(reference: torch.Tensor) -> torch.Tensor:
        pred = photos[: len(reference)].clone().requires_grad_()
        loss(pred, reference).backward()
        assert pred.grad is not None
        return pred.grad

    joint = gradient(photos[[2, 3]])
    monkeypatch.setattr(losses, "get_world_size", lambda: 2)
    share = gradient(photos[[2]])
    torch.testing.assert_close(share / 2, joint[:1], rtol=1e-3, atol=1e-7)
    in_training = loss(photos[:2], photos[2:])
    loss.eval()
    torch.testing.assert_close(in_training, 2 * loss(photos[:2], photos[2:]))


def test_a_clip_counts_as_its_frames(guidance: ResidualGuidanceLoss) -> None:
    clips = torch.rand(2, 3, 3, 32, 32)
    torch.testing.assert_close(guidance(clips), guidance(clips.flatten(0, 1)))
    other = torch.rand(2, 3, 3, 32, 32)
    identity = CLIPIdentityLoss()
    torch.testing.assert_close(
        identity(clips, other), identity(clips.flatten(0, 1), other.flatten(0, 1))
    )


def test_results_at_several_scales_are_averaged(guidance: ResidualGuidanceLoss) -> None:
    large, small = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 16, 16)
    mean = (guidance(large) + guidance(small)) / 2
    torch.testing.assert_close(guidance([large, small], large), mean)


def test_pictures_in_another_range_are_refused_at_once(guidance: ResidualGuidanceLoss) -> None:
    photos = torch.rand(1, 3, 32, 32)
    with pytest.raises(ValueError, match="ResidualGuidanceLoss: got pictures with values in"):
        guidance(photos, photos * 255)
    with pytest.raises(ValueError, match="CLIPIdentityLoss: got pictures with values in -1"):
        CLIPIdentityLoss()(photos, torch.linspace(-1, 1, 3072).view(1, 3, 32, 32))
    guidance(photos * 3 - 2, photos)  # what an untrained network makes may lie anywhere


def test_values_are_looked_at_in_the_first_calls_alone(
    guidance: ResidualGuidanceLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = torch.rand(1, 3, 32, 32)
    for _ in range(losses.CHECKED_CALLS):
        guidance(photos, photos)
    monkeypatch.setattr(losses, "check_values", lambda *_: pytest.fail("looked again"))
    guidance(photos, photos)


def test_pictures_that_fill_half_the_range_are_told_once(log: list[str]) -> None:
    loss = CLIPIdentityLoss(value_range=(-1.0, 1.0))
    photos = torch.rand(1, 3, 32, 32)
    for _ in range(5):
        loss(photos, photos)
    (message,) = log
    assert "at most half of value_range=(-1.0, 1.0)" in message
