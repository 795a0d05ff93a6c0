import copy
from typing import Any

import pytest
import torch

from rave_mm.clip.encoder import load_clip
from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.losses import clip_loss, residual_guidance_loss
from rave_mm.losses.clip_identity_loss import CLIPIdentityLoss
from rave_mm.losses.residual_guidance_loss import ResidualGuidanceLoss
from rave_mm.runtime import first_process
from tests.losses.known_residual import bundled_residual


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the losses say."""
    said: list[str] = []
    monkeypatch.setattr(clip_loss, "print_log", lambda message, *_: said.append(message))
    return said


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

    monkeypatch.setattr(clip_loss, "load_clip", load)
    monkeypatch.setattr(residual_guidance_loss, "residual_from_folders", compute)
    monkeypatch.setattr(ResidualGuidanceLoss, "_check_clip", lambda *_: None)
    monkeypatch.setattr(first_process, "barrier", lambda: done.append("meet"))
    return done


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_process_loads_and_the_others_wait(
    rank: int, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_process, "get_rank", lambda: rank)
    ResidualGuidanceLoss({"well_lit": "w", "backlit": "b"}).init_weights()
    assert steps.count("meet") == 1
    assert steps.index("meet") == (0 if rank else len(steps) - 1)
    assert {"load the CLIP", "compute the residual"} < set(steps)


def test_the_others_do_not_wait_for_a_process_that_failed(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise FileNotFoundError("no weights")

    monkeypatch.setattr(clip_loss, "load_clip", fail)
    with pytest.raises(FileNotFoundError, match="no weights"):
        CLIPIdentityLoss().init_weights()
    assert steps == ["meet"]


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
    for _ in range(clip_loss.CHECKED_CALLS):
        guidance(photos, photos)
    monkeypatch.setattr(clip_loss, "check_values", lambda *_: pytest.fail("looked again"))
    guidance(photos, photos)


def test_pictures_that_fill_half_the_range_are_told_once(log: list[str]) -> None:
    loss = CLIPIdentityLoss(value_range=(-1.0, 1.0))
    photos = torch.rand(1, 3, 32, 32)
    for _ in range(5):
        loss(photos, photos)
    (message,) = log
    assert "at most half of value_range=(-1.0, 1.0)" in message
