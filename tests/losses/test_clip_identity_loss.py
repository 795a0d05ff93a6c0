from pathlib import Path

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS

from rave_mm.losses import clip_identity_loss
from rave_mm.losses.clip_identity_loss import CLIPIdentityLoss
from tests.losses.golden import assert_gradient, reference_clip


def test_registered_under_the_name_that_others_rely_on() -> None:
    assert MODELS.get("CLIPIdentityLoss") is CLIPIdentityLoss


@pytest.mark.parametrize(
    ("name", "layer_weights"),
    [("identity", (1, 1, 1, 1, 0.5)), ("reconstruction", (1, 1, 1, 1, 1))],
)
def test_golden_value_and_gradient(
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


def test_needs_stages_when_training_starts(reference: Path) -> None:
    loss = CLIPIdentityLoss(clip=reference_clip(reference, "vit"))
    with pytest.raises(TypeError, match="the identity loss needs the stages of a ModifiedResNet"):
        loss.init_weights()


def test_needs_five_weights() -> None:
    with pytest.raises(ValueError, match="layer_weights: got 4, expected 5"):
        CLIPIdentityLoss(layer_weights=(1, 1, 1, 1))


def test_is_zero_for_the_same_picture_and_sums_over_the_batch() -> None:
    loss = CLIPIdentityLoss()
    first, second = torch.rand(2, 1, 3, 32, 32).unbind()
    assert float(loss(first, first)) == 0
    together = loss(torch.cat([first, first]), torch.cat([second, second]))
    torch.testing.assert_close(together, 2 * loss(first, second), rtol=1e-4, atol=1e-7)


def test_gradient_reaches_the_picture_alone() -> None:
    pred, reference = torch.rand(2, 1, 3, 32, 32).unbind()
    pred.requires_grad_(), reference.requires_grad_()
    CLIPIdentityLoss()(pred, reference).backward()
    assert pred.grad is not None and reference.grad is None


def test_gives_the_gradient_of_the_joint_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """DDP averages the gradients of two processes, of which each has a half of the batch."""
    loss = CLIPIdentityLoss()
    photos = torch.rand(4, 3, 32, 32)

    def gradient(reference: torch.Tensor) -> torch.Tensor:
        pred = photos[: len(reference)].clone().requires_grad_()
        loss(pred, reference).backward()
        assert pred.grad is not None
        return pred.grad

    joint = gradient(photos[[2, 3]])
    monkeypatch.setattr(clip_identity_loss, "get_world_size", lambda: 2)
    share = gradient(photos[[2]])
    torch.testing.assert_close(share / 2, joint[:1], rtol=1e-3, atol=1e-7)
    in_training = loss(photos[:2], photos[2:])
    loss.eval()
    torch.testing.assert_close(in_training, 2 * loss(photos[:2], photos[2:]))
