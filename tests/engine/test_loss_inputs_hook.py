from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmagic.registry import HOOKS, MODELS
from mmagic.structures import DataSample
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from torch import nn

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.engine.loss_inputs_hook import LossInputsHook
from rave_mm.losses.clip_identity_loss import CLIPIdentityLoss


@MODELS.register_module(name="_Darker", force=True)
class Darker(nn.Module):
    """What it returns is neither its input nor the ground truth."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return photos * self.gain


def build(order: str = "bgr", **identity: Any) -> Any:
    loss = {"type": "CLIPIdentityLoss", "channel_order": order, **identity}
    settings = {
        "type": "BaseEditModel",
        "generator": {"type": "_Darker"},
        "pixel_loss": {"type": "LossSum", "terms": {"identity": loss}},
        "data_preprocessor": {"type": "DataPreprocessor", "mean": [0.0], "std": [255.0]},
    }
    with DefaultScope.overwrite_default_scope("mmagic"):
        return MODELS.build(settings)


def step(
    model: Any, hook: LossInputsHook | None, photos: torch.Tensor, truth: torch.Tensor
) -> float:
    runner: Any = SimpleNamespace(model=model)
    if hook is not None:
        hook.before_train(runner)
    data = {"inputs": list(photos), "data_samples": [DataSample(gt_img=one) for one in truth]}
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    value = model.train_step(data, wrapper)["loss"].item()
    if hook is not None:
        hook.after_train_iter(runner, 0, data, {})
        hook.after_train(runner)
    return value


@pytest.fixture
def photos() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 32, 32)).float()


def test_the_input_is_what_identity_compares_with(photos: torch.Tensor) -> None:
    truth = 255 - photos
    with_input = step(build(compare_with_input=True), LossInputsHook(), photos, truth)
    assert with_input == pytest.approx(step(build(), LossInputsHook(), photos, photos), rel=1e-5)
    assert with_input != pytest.approx(step(build(), LossInputsHook(), photos, truth), rel=1e-2)


def test_the_batch_is_let_go(photos: torch.Tensor) -> None:
    model = build(compare_with_input=True)
    step(model, LossInputsHook(), photos, photos)
    assert model.pixel_loss.terms["identity"].model_input is None
    assert not model.data_preprocessor._forward_hooks


def test_without_the_hook_it_says_what_to_add(photos: torch.Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"add dict\(type='LossInputsHook'\) to custom_hooks"):
        step(build(compare_with_input=True), None, photos, photos)


def test_another_channel_order_than_the_preprocessors_is_refused(photos: torch.Tensor) -> None:
    """MMagic takes photos that do not tell for BGR, as OpenCV reads them."""
    with pytest.raises(ValueError, match="got channel_order='rgb', but the model's .* over bgr"):
        step(build(order="rgb"), LossInputsHook(), photos, photos)


def test_validation_is_not_listened_to(photos: torch.Tensor) -> None:
    model = build(order="rgb", compare_with_input=True)
    hook = LossInputsHook()
    hook.before_train(SimpleNamespace(model=model))  # type: ignore[arg-type]
    model.eval()
    data = {"inputs": list(photos), "data_samples": [DataSample(gt_img=one) for one in photos]}
    model.val_step(data)
    assert model.pixel_loss.terms["identity"].model_input is None


def test_a_model_that_makes_one_frame_of_several_is_told() -> None:
    loss = CLIPIdentityLoss(compare_with_input=True)
    loss.model_input = torch.rand(1, 5, 3, 16, 16)
    with pytest.raises(ValueError, match="got 1 pictures and 5 to compare them with"):
        loss(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))


def test_the_input_of_super_resolution_may_be_smaller() -> None:
    loss = CLIPIdentityLoss(compare_with_input=True)
    loss.model_input = torch.full((1, 3, 16, 16), 0.5)
    assert float(loss(torch.full((1, 3, 64, 64), 0.5), torch.zeros(1, 3, 64, 64))) == pytest.approx(
        0, abs=1e-6
    )


def test_registered() -> None:
    assert HOOKS.get("LossInputsHook") is LossInputsHook
