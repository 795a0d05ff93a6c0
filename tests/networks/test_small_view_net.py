"""The network that sees small: its lines, its view, its start, and its checkpoints."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from torch import Tensor

from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.published_checkpoints import UnknownCheckpointError
from rave_mm.networks.small_view_net import HIGHEST, LOWEST, SmallViewLightMapNet

WIDTHS = (8, 12, 16)


def small_net(side: int = 32, seed: int = 0, spread: float = 0.5) -> SmallViewLightMapNet:
    """A network whose lines are not 0."""
    torch.manual_seed(seed)
    network = SmallViewLightMapNet(side, WIDTHS)
    with torch.no_grad():
        network.out.weight.normal_(std=spread)
    return network


def test_is_registered() -> None:
    # Not MODELS.build: to look a type up, the registry imports all of MMagic.
    assert MODELS.module_dict["SmallViewLightMapNet"] is SmallViewLightMapNet


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (2, 3), (17, 31), (40, 100), (3, 900)])
def test_any_size(size: tuple[int, int]) -> None:
    network = small_net()
    light_map = network(torch.rand(2, 3, *size))
    light_map.log().square().sum().backward()
    assert light_map.shape == (2, 1, *size)
    assert math.exp(LOWEST) <= light_map.min() and light_map.max() <= math.exp(HIGHEST)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("picture", [torch.full((1, 3, 20, 30), 0.1), torch.ones(1, 3, 20, 30)])
def test_starts_as_the_identity_and_learns_at_once(picture: Tensor) -> None:
    network = SmallViewLightMapNet(32, WIDTHS)
    light_map = network(picture)
    assert torch.equal(light_map, torch.ones_like(light_map))
    light_map.sum().backward()
    assert network.out.weight.grad.abs().max() > 0
    assert network.out.bias.grad.abs().max() > 0


def test_the_light_map_is_the_lines_at_full_size() -> None:
    network, photo = small_net(), torch.rand(2, 3, 50, 80)
    with torch.no_grad():
        lines = network.lines(network.view(photo))
        light_map = network(photo)
    assert lines.shape == (2, 2, 5, 8)  # a quarter of the view of 20x32
    slopes, offsets = F.interpolate(lines, (50, 80), mode="bilinear").unbind(1)
    for picture in range(2):
        for row, column in ((0, 0), (31, 70), (49, 79)):
            brightness = photo[picture, :, row, column].mean()
            exponent = slopes[picture, row, column] * brightness + offsets[picture, row, column]
            wanted = exponent.clamp(LOWEST, HIGHEST).exp()
            torch.testing.assert_close(light_map[picture, 0, row, column], wanted)


def test_the_level_of_a_line_is_at_the_brightness_of_its_place() -> None:
    """Whatever the slope, a place that is as bright as in the view gets its level."""
    network = small_net()
    with torch.no_grad():
        network.out.weight.zero_()
        network.out.bias.copy_(torch.tensor([3.0, -1.5]))
        light_map = network(torch.full((1, 3, 40, 60), 0.3))
    torch.testing.assert_close(light_map.log(), torch.full_like(light_map, -1.5))


def test_edges_are_those_of_the_full_size() -> None:
    network = small_net()
    with torch.no_grad():
        network.out.weight.zero_()
        network.out.bias.copy_(torch.tensor([2.0, -1.0]))
        photo = torch.full((1, 3, 320, 480), 0.1)
        photo[..., 241:] = 0.9
        light_map = network(photo)[0, 0].log()
    # Sixteen pixels are one of the view; the step of brightness is 0.8, and the slope 2.
    steps = light_map[:, 1:] - light_map[:, :-1]
    assert (steps.argmax(1) == 240).all()
    torch.testing.assert_close(steps[:, 240], torch.full((320,), 1.6), rtol=0.05, atol=0)


def test_the_view() -> None:
    network = SmallViewLightMapNet(30, WIDTHS)
    small = torch.rand(1, 3, 20, 30)
    assert network.view(small) is small
    assert network.view(torch.rand(1, 3, 300, 200)).shape == (1, 3, 30, 20)
    assert network.view(torch.rand(1, 3, 2, 4000)).shape == (1, 3, 1, 30)
    flat = torch.full((1, 3, 300, 200), 0.4)
    torch.testing.assert_close(network.view(flat), torch.full((1, 3, 30, 20), 0.4))


def test_sees_no_more_than_the_view() -> None:
    """A smooth photograph gets the same lines at any size."""
    network = small_net()
    ramp = torch.linspace(0.1, 0.9, 32).expand(1, 3, 24, -1).contiguous()
    large = F.interpolate(ramp, (240, 320), mode="bilinear", align_corners=True)
    with torch.no_grad():
        found, wanted = network.lines(network.view(large)), network.lines(ramp)
    assert (found - wanted).abs().max() < 0.1 * wanted.abs().max()


def test_pictures_of_a_batch_do_not_mix() -> None:
    network, x = small_net(), torch.rand(3, 3, 40, 56)
    with torch.no_grad():
        together, alone = network(x), torch.cat([network(picture[None]) for picture in x])
    torch.testing.assert_close(together, alone)


def test_each_point_knows_the_whole_view() -> None:
    network = small_net()
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    network(x)[0, 0, 0, 0].backward()
    assert (x.grad.abs().sum(1) > 0).all()


def test_gradients() -> None:
    network = small_net(spread=0.02).double()  # within the limits throughout
    x = torch.rand(1, 3, 6, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: network(x).log(), (x,), atol=1e-4)


def test_lines_survive_autocast() -> None:
    network, x = small_net(spread=0.05), torch.rand(1, 3, 40, 56)
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0)


def test_weights_tell_which_network_they_are_of() -> None:
    network, x = small_net(side=48), torch.rand(1, 3, 60, 90)
    again = SmallViewLightMapNet.of_weights(network.state_dict())
    assert again.side == 48
    with torch.no_grad():
        torch.testing.assert_close(again(x), network(x))


def test_the_side_is_the_configs() -> None:
    network = SmallViewLightMapNet(64, WIDTHS)
    network.load_state_dict(small_net(side=48).state_dict())
    assert network.side == 64 and network.state_dict()["view_side"] == 64


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (LightMapUNet().state_dict(), "another network than this SmallViewLightMapNet"),
        (SmallViewLightMapNet(32, (8, 12)).state_dict(), r"before\.1\.\S+ no tensor instead of"),
        ({"weight": torch.zeros(3)}, "holds no light-map network"),
    ],
)
def test_weights_of_others_are_refused(other: dict[str, Tensor], message: str) -> None:
    with pytest.raises(UnknownCheckpointError, match=message):
        SmallViewLightMapNet(32, WIDTHS).load_state_dict(other)


def test_half_of_a_network_is_refused() -> None:
    weights = small_net().state_dict()
    del weights["stem.0.0.weight"]
    with pytest.raises(UnknownCheckpointError, match="no whole SmallViewLightMapNet"):
        SmallViewLightMapNet.of_weights(weights)


@pytest.mark.parametrize(
    "photo",
    [
        torch.rand(3, 8, 8),
        torch.rand(1, 1, 8, 8),
        torch.zeros(1, 3, 0, 8),
        torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
    ],
)
def test_what_is_no_photograph_is_refused(photo: Tensor) -> None:
    with pytest.raises(ValueError, match="expected floating-point RGB in"):
        SmallViewLightMapNet(32, WIDTHS)(photo)


@pytest.mark.parametrize(("side", "widths"), [(0, WIDTHS), (32, (8,)), (32, (8, 0))])
def test_bad_settings(side: int, widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected a side of 1 or more, and two widths"):
        SmallViewLightMapNet(side, widths)


def test_beyond_the_limits_the_gradient_leads_back() -> None:
    network = small_net()
    with torch.no_grad():
        network.out.weight.zero_()
        network.out.bias.copy_(torch.tensor([0.0, LOWEST - 1]))
    x = torch.rand(1, 3, 8, 8)
    for sign, moves in ((1, False), (-1, True)):  # to lower the light map, or to raise it
        network.zero_grad()
        (sign * network(x)).sum().backward()
        assert bool(network.out.bias.grad.any()) is moves
