"""The network: against published light maps, and what it must do for any input."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.model import ExponentialMovingAverage
from torch import Tensor, nn

from rave_mm.functional import apply_light_map
from rave_mm.networks.light_map_unet import LightMapUNet, PyramidPooling

MODES = ("zeros", "reflect")


@pytest.fixture(scope="module")
def published_light_maps(reference: Path) -> dict[str, Tensor]:
    with np.load(reference / "unet.npz") as arrays:
        return {name: torch.from_numpy(value) for name, value in arrays.items()}


@pytest.mark.parametrize("image", [0, 1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_published_light_maps(
    mode: str, image: int, reference: Path, published_light_maps: dict[str, Tensor]
) -> None:
    checkpoint = str(reference / "rave_unpaired.pth")
    network = LightMapUNet(mode, init_cfg={"type": "Pretrained", "checkpoint": checkpoint})
    network.init_weights()
    with torch.no_grad():
        found = network(published_light_maps[f"x{image}"])
    wanted = published_light_maps[f"light_map_{mode}{image}"]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_is_registered_with_the_published_number_of_parameters() -> None:
    # Not MODELS.build: to look a type up, the registry imports all of MMagic.
    assert MODELS.module_dict["LightMapUNet"] is LightMapUNet
    network = LightMapUNet()
    assert sum(parameter.numel() for parameter in network.parameters()) == 278_790


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (2, 2), (3, 4), (17, 31)])
@pytest.mark.parametrize("mode", MODES)
def test_any_size(mode: str, size: tuple[int, int]) -> None:
    network = LightMapUNet(mode, "identity")
    light_map = network(torch.rand(2, 3, *size))
    light_map.sum().backward()
    assert light_map.shape == (2, 1, *size)
    assert light_map.isfinite().all()
    assert light_map.min() >= 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_padding_mode_changes_the_border_only_near_it() -> None:
    zeros, reflect = LightMapUNet("zeros", "identity"), LightMapUNet("reflect", "identity")
    reflect.load_state_dict(zeros.state_dict())
    # The pyramid sees the whole image, so it is fed the same maps.
    x = torch.rand(1, 3, 48, 48)
    with torch.no_grad():
        pooled = zeros.pyramid.pool(zeros.features(x))
        light_maps = [net.light_map(net.features(x), pooled) for net in (zeros, reflect)]
    difference = (light_maps[0] - light_maps[1]).abs()
    assert difference[..., 17:-17, 17:-17].max() < 1e-6
    assert difference.max() > 1e-5


def test_receptive_field_is_17_pixels() -> None:
    network = LightMapUNet("zeros", "identity").double()
    x = torch.rand(1, 3, 41, 41, dtype=torch.float64)
    pooled = [grid.detach() for grid in network.pyramid.pool(network.features(x))]
    x.requires_grad_()
    network.light_map(network.features(x), pooled)[0, 0, 20, 20].backward()
    rows, columns = x.grad.abs().sum((0, 1)).nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 37, 3, 37)


def test_images_of_a_batch_do_not_mix() -> None:
    network = LightMapUNet("reflect", "identity").eval()
    x = torch.rand(3, 3, 20, 24)
    with torch.no_grad():
        together, alone = network(x), torch.cat([network(image[None]) for image in x])
    torch.testing.assert_close(together, alone)


def test_input_is_not_changed() -> None:
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    before = x.detach().clone()
    LightMapUNet(start="identity")(x).sum().backward()
    assert torch.equal(x, before)
    assert x.grad is not None


def test_gradients_match_a_network_without_in_place_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = LightMapUNet("reflect", "identity").double()
    x = torch.rand(1, 3, 9, 11, dtype=torch.float64)

    def gradients() -> list[Tensor]:
        network.zero_grad()
        network(x).square().sum().backward()
        return [parameter.grad.clone() for parameter in network.parameters()]

    in_place = gradients()
    leaky_relu, add = F.leaky_relu, Tensor.add
    monkeypatch.setattr(F, "leaky_relu", lambda x, slope, inplace: leaky_relu(x, slope))
    monkeypatch.setattr(Tensor, "add_", add)
    torch.testing.assert_close(in_place, gradients())


class TestStart:
    @pytest.mark.parametrize("image", [0.0, 1.0, None])
    def test_identity_is_about_one_at_once(self, image: float | None) -> None:
        x = torch.rand(2, 3, 32, 32) if image is None else torch.full((2, 3, 32, 32), image)
        for _ in range(5):
            light_map = LightMapUNet(start="identity")(x)
            assert (light_map - 1).abs().max() < 0.05

    def test_identity_moves_gently(self) -> None:
        network, x = LightMapUNet(start="identity"), torch.rand(2, 3, 32, 32)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
        before = network(x)
        before.mean().backward()
        optimizer.step()
        change = (network(x) - before).detach()
        assert -0.05 < change.mean() < -0.002

    def test_normal_draws_every_convolution_alike(self) -> None:
        network = LightMapUNet(start="normal")
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.2)
        weights = torch.cat(
            [m.weight.flatten() for m in network.modules() if isinstance(m, nn.Conv2d)]
        )
        assert weights.mean().item() == pytest.approx(0, abs=2e-4)
        assert weights.std().item() == pytest.approx(0.02, rel=0.01)

    def test_normal_never_starts_dead(self) -> None:
        x = torch.rand(1, 3, 16, 16)
        for _ in range(20):
            light_map = LightMapUNet(start="normal")(x)
            assert light_map.max() > 0

    @pytest.mark.parametrize("start", ["normal", "identity"])
    def test_seed_decides(self, start: str) -> None:
        weights = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            weights.append(nn.utils.parameters_to_vector(LightMapUNet(start=start).parameters()))
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])

    def test_reset_draws_everything_anew(self) -> None:
        network = LightMapUNet(start="identity")
        for parameter in network.parameters():
            nn.init.constant_(parameter, 7)
        network.reset_parameters()
        assert not any((parameter == 7).any() for parameter in network.parameters())

    def test_init_weights_keeps_the_start(self) -> None:
        network = LightMapUNet(start="identity")
        before = copy.deepcopy(network.state_dict())
        network.init_weights()
        torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


class TestPyramidPooling:
    def test_pools_to_the_mean_of_each_cell(self) -> None:
        features = torch.rand(2, 32, 12, 18)
        pooled = PyramidPooling().pool(features)
        assert [tuple(grid.shape) for grid in pooled] == [(2, 32, b, b) for b in (1, 2, 3, 6)]
        torch.testing.assert_close(pooled[0][..., 0, 0], features.mean((2, 3)))
        torch.testing.assert_close(pooled[2][..., 1, 2], features[..., 4:8, 12:18].mean((2, 3)))

    def test_fuse_after_pool_is_forward(self) -> None:
        pyramid, features = PyramidPooling(), torch.rand(1, 32, 9, 10)
        assert torch.equal(pyramid.fuse(features, pyramid.pool(features)), pyramid(features))

    def test_halves_make_the_whole(self) -> None:
        network, x = LightMapUNet("reflect", "identity"), torch.rand(1, 3, 20, 30)
        features = network.features(x)
        assert torch.equal(network.light_map(features, network.pyramid.pool(features)), network(x))


def test_copies_and_averages() -> None:
    network, x = LightMapUNet(start="identity"), torch.rand(1, 3, 8, 8)
    wanted = network(x)
    assert torch.equal(copy.deepcopy(network)(x), wanted)
    assert torch.equal(pickle.loads(pickle.dumps(network))(x), wanted)
    average = ExponentialMovingAverage(network)
    average.update_parameters(network)
    average.load_state_dict(copy.deepcopy(average.state_dict()))
    assert torch.equal(average(x), wanted)


def test_bfloat16_autocast_stays_close() -> None:
    network, x = LightMapUNet(start="identity"), torch.rand(1, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        low = apply_light_map(x, network(x))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, apply_light_map(x, network(x)), rtol=0, atol=0.02)


@pytest.mark.parametrize(
    "x",
    [
        torch.rand(3, 8, 8),
        torch.rand(1, 4, 8, 8),
        torch.rand(0, 3, 8, 8),
        torch.rand(1, 3, 0, 8),
        torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
    ],
    ids=lambda x: f"{x.dtype}-{tuple(x.shape)}",
)
def test_wrong_input(x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected floating-point RGB in \[0, 1\]"):
        LightMapUNet()(x)


def test_unknown_settings() -> None:
    with pytest.raises(ValueError, match="padding_mode='circular'; expected one of .*reflect"):
        LightMapUNet("circular")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="start='xavier'; expected one of .*identity"):
        LightMapUNet(start="xavier")  # type: ignore[arg-type]
