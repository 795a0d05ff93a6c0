"""The sum of losses: alone, and as the pixel loss of MMagic's own models."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from torch import nn

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.losses.loss_sum import LossSum
from rave_mm.losses.prompt_pairs import LatentPair
from rave_mm.losses.residual_guidance_loss import ResidualGuidanceLoss
from tests.losses.known_residual import bundled_residual

L1 = {"type": "L1Loss", "loss_weight": 2.0}
MSE = {"type": "MSELoss", "loss_weight": 0.5}


@pytest.fixture(autouse=True)
def hub() -> Iterator[MessageHub]:
    """A log of its own for each test."""
    hub = MessageHub.get_instance(f"test-{id(object())}-{torch.rand(()).item()}")
    yield hub
    MessageHub._instance_dict.pop(hub.instance_name)


def logged(hub: MessageHub) -> dict[str, float]:
    return {key: buffer.current() for key, buffer in hub.log_scalars.items()}


@pytest.fixture
def residuals(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of two directions."""
    folder = tmp_path_factory.mktemp("residuals")
    for seed in (0, 1):
        bundled_residual(seed).save(folder / f"{seed}.npz")
    return [str(folder / f"{seed}.npz") for seed in (0, 1)]


def test_it_is_the_weighted_sum_and_logs_each_term(hub: MessageHub) -> None:
    """Worked out by hand: differences of 0.5 everywhere."""
    loss = LossSum({"pixel": L1, "square": MSE})
    pred = torch.full((2, 3, 4, 4), 0.75, requires_grad=True)
    value = loss(pred, torch.full((2, 3, 4, 4), 0.25))
    assert value.item() == pytest.approx(2 * 0.5 + 0.5 * 0.25)
    assert logged(hub) == pytest.approx({"train/loss_pixel": 1.0, "train/loss_square": 0.125})


def test_nothing_is_logged_in_validation(hub: MessageHub) -> None:
    LossSum({"pixel": L1}, gradients_every=1).eval()(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4))
    assert not logged(hub)


def test_norms_of_the_gradients_and_their_shares(hub: MessageHub) -> None:
    """Worked out by hand: with n values that differ by d, 2/n sqrt(n) and 0.5 * 2d/n sqrt(n)."""
    loss = LossSum({"pixel": L1, "square": MSE}, gradients_every=2)
    pred = torch.full((1, 3, 4, 4), 0.75, requires_grad=True)
    loss(pred, torch.full((1, 3, 4, 4), 0.25)).backward()
    n = 48
    expected = {"pixel": 2 / math.sqrt(n), "square": 0.5 / math.sqrt(n)}
    found = logged(hub)
    for name, norm in expected.items():
        assert found[f"train/gradient_{name}"] == pytest.approx(norm)
        share = norm / sum(expected.values())
        assert found[f"train/gradient_share_{name}"] == pytest.approx(share)
    assert pred.grad is not None  # which looking at the gradients leaves as it is
    assert pred.grad.norm().item() == pytest.approx(sum(expected.values()))
    for _ in range(2):
        loss(pred, torch.zeros(1, 3, 4, 4))
    assert len(hub.get_scalar("train/gradient_pixel").data[0]) == 2


def test_looking_at_the_gradients_does_not_change_them(residuals: list[str]) -> None:
    gradients = []
    for every in (0, 1):
        terms = {"pixel": L1, "light": {"type": "ResidualGuidanceLoss", "residual": residuals[0]}}
        loss = LossSum(terms, gradients_every=every)
        loss.init_weights()
        pred = torch.linspace(0, 1, 3 * 32 * 32).view(1, 3, 32, 32).requires_grad_()
        loss(pred, torch.full((1, 3, 32, 32), 0.5)).backward()
        gradients.append(pred.grad)
    torch.testing.assert_close(gradients[0], gradients[1], atol=0, rtol=0)


def test_a_list_of_results_is_averaged_and_so_is_its_log(hub: MessageHub) -> None:
    loss = LossSum({"pixel": L1})
    target = torch.rand(1, 3, 8, 8)
    small = nn.functional.avg_pool2d(target, 2)
    value = loss([target + 0.5, small + 0.1], target)
    assert value.item() == pytest.approx(2 * (0.5 + 0.1) / 2, rel=1e-5)
    assert logged(hub)["train/loss_pixel"] == pytest.approx(value.item())


def test_several_directions_guide_at_once_each_with_its_weight(
    residuals: list[str], hub: MessageHub
) -> None:
    terms = {
        name: {"type": "ResidualGuidanceLoss", "residual": file, "loss_weight": weight}
        for name, file, weight in zip(("light", "haze"), residuals, (3.0, 5.0), strict=True)
    }
    loss = LossSum(terms)
    loss.init_weights()
    assert len(list(loss.parameters())) == 0
    photos = torch.rand(2, 3, 32, 32)
    alone = []
    for file in residuals:
        single = ResidualGuidanceLoss(residual=file)
        single.init_weights()
        alone.append(float(single(photos)))
    assert float(loss(photos)) == pytest.approx(3 * alone[0] + 5 * alone[1], rel=1e-5)
    assert logged(hub)["train/loss_haze"] == pytest.approx(5 * alone[1], rel=1e-5)


def test_a_term_that_is_not_finite_stops_before_the_step() -> None:
    with pytest.raises(FloatingPointError, match=r"not finite \(loss_pixel nan\)"):
        LossSum({"pixel": L1})(torch.full((1, 3, 2, 2), torch.nan), torch.zeros(1, 3, 2, 2))


def test_a_name_that_the_model_logs_too_is_refused(hub: MessageHub) -> None:
    loss, picture = LossSum({"gan": L1}), torch.rand(1, 3, 4, 4)
    loss(picture, picture)
    hub.update_scalar("train/loss_gan", 1.0)  # what MMEngine does with an SRGAN's own
    with pytest.raises(ValueError, match="loss_gan: the model, or another sum, writes this name"):
        loss(picture, picture)


def test_a_term_that_is_none_is_left_out() -> None:
    assert list(LossSum({"pixel": L1, "square": None}).terms) == ["pixel"]


def test_no_term_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got terms=\[\] and gradients_every=0; expected one"):
        LossSum({})


def test_losses_of_several_parts() -> None:
    @MODELS.register_module(name="_LossOfTwoParts", force=True)
    class LossOfTwoParts(nn.Module):
        def forward(self, pred: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor, None]:
            return pred.mean(), None

    loss = LossSum({"parts": {"type": "_LossOfTwoParts"}})
    assert float(loss(torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2, 2))) == 1


def every_loss(residuals: list[str], pair: str) -> dict[str, dict[str, Any]]:
    return {
        "guidance": {"type": "ResidualGuidanceLoss", "residual": residuals[0]},
        "identity": {"type": "CLIPIdentityLoss"},
        "score": {"type": "CLIPEnhanceLoss", "pair": pair, "scale": 10.0},
    }


@pytest.fixture
def terms(residuals: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("pair") / "pair.pth"
    LatentPair().export(file)
    return every_loss(residuals, str(file))


@pytest.mark.parametrize("name", ["guidance", "identity", "score", "sum"])
@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (1, 2, 3, 16, 16), "scales"])
def test_every_loss_serves_as_a_pixel_loss(
    name: str, shape: tuple[int, ...] | str, terms: dict[str, Any], hub: MessageHub
) -> None:
    """Photos, clips and results at several scales; the gradient reaches the network alone."""

    @MODELS.register_module(name="_Gain", force=True)
    class Gain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(()))

        def forward(self, photos: torch.Tensor) -> Any:
            result = photos * self.gain
            if shape == "scales":
                return [result, nn.functional.avg_pool2d(result, 2)]
            return result

    pixel_loss = {"type": "LossSum", "terms": terms} if name == "sum" else terms[name]
    with DefaultScope.overwrite_default_scope("mmagic"):
        model = MODELS.build(
            {
                "type": "BaseEditModel",
                "generator": {"type": "_Gain"},
                "pixel_loss": pixel_loss,
                "data_preprocessor": {"type": "DataPreprocessor", "mean": [0.0], "std": [255.0]},
            }
        )
    model.init_weights()
    assert [name for name, _ in model.named_parameters()] == ["generator.gain"]
    size = (2, 3, 16, 16) if isinstance(shape, str) else shape
    photos, truth = torch.randint(0, 256, (2, *size)).float()
    data = {
        "inputs": list(photos / 2),
        "data_samples": [DataSample(gt_img=picture) for picture in truth],
    }
    before = model.generator.gain.item()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    logs = model.train_step(data, wrapper)
    assert torch.isfinite(logs["loss"]) and model.generator.gain.item() != before
    if name == "sum":
        found = logged(hub)
        assert sum(found[f"train/loss_{term}"] for term in terms) == pytest.approx(
            logs["loss"].item(), rel=1e-5
        )
