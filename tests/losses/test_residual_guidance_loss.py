import copy
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS

from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.losses import residual_guidance_loss
from rave_mm.losses.residual_guidance_loss import ResidualGuidanceLoss
from tests.losses.golden import assert_gradient, reference_clip
from tests.losses.known_residual import bundled_residual, provenance


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the loss says."""
    said: list[str] = []
    monkeypatch.setattr(
        residual_guidance_loss, "print_log", lambda message, *_: said.append(message)
    )
    return said


def test_registered_under_the_name_that_others_rely_on() -> None:
    assert MODELS.get("ResidualGuidanceLoss") is ResidualGuidanceLoss


def test_golden_value_and_gradient(
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


def test_checkpoint_carries_the_residual(guidance: ResidualGuidanceLoss) -> None:
    fresh = ResidualGuidanceLoss()
    fresh.load_state_dict(guidance.state_dict())
    assert fresh.residual.provenance == guidance.residual.provenance
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(fresh(images), guidance(images))


def test_the_time_when_a_vector_was_computed_is_not_in_a_checkpoint() -> None:
    loss = ResidualGuidanceLoss()
    stored = []
    for date in ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"):
        origin = replace(provenance(loss.clip.fingerprint), date=date)
        loss.set_residual(ResidualVector(torch.ones(256) / 16, 0.1, origin))
        stored.append(loss.provenance)
    assert torch.equal(*stored)


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


def test_residual_is_read_from_a_file_when_training_starts(tmp_path: Path) -> None:
    bundled_residual().save(tmp_path / "residual.npz")
    loss = ResidualGuidanceLoss(residual=str(tmp_path / "residual.npz"))
    assert loss.vector.numel() == 0
    loss.init_weights()
    torch.testing.assert_close(loss.vector, bundled_residual().vector)
