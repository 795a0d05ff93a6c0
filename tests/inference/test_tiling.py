"""Tiles give the light map of the whole photograph, whatever its size and theirs."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rave_mm.functional import apply_light_map
from rave_mm.inference.tiling import light_map_tiles, pool_by_tiles, reach, tile_side
from rave_mm.inference.weights import load_network
from rave_mm.inference.windows import Window, cut
from rave_mm.networks.light_map_unet import LightMapUNet

MODES = ("zeros", "reflect")
# Height, width, side of the tiles; up to 34 pixels more are a single tile.
CASES = [
    (1, 1, 1),
    (9, 1, 4),
    (1, 90, 30),
    (40, 2, 1),
    (5, 64, 8),
    (37, 41, 1),
    (64, 48, 17),
    (70, 81, 30),
]


def lively(mode: str) -> LightMapUNet:
    """A network whose light map depends strongly on everything, the pooling included."""
    network = LightMapUNet(mode, "identity").eval()
    with torch.no_grad():
        network.conv_out.weight.mul_(100)
        for branch in network.pyramid.branches:
            branch[0].weight.mul_(4)
    return network


def tiled(network: LightMapUNet, photo: Tensor, side: int) -> Tensor:
    def read(window: Window) -> Tensor:
        return photo[(..., *window.slices)]

    height, width = photo.shape[2:]
    found = photo.new_full((1, 1, height, width), torch.nan)
    for window, part, light_map in light_map_tiles(network, read, height, width, side):
        assert torch.equal(part, read(window))
        found[(..., *window.slices)] = light_map
    return found


def uneven(height: int, width: int) -> Tensor:
    """Noise that is dark on the left and bright below, so that the bins differ."""
    slope = torch.linspace(0, 1, height)[:, None] * torch.linspace(0.1, 1, width)
    return (torch.rand(1, 3, height, width) * slope).contiguous()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", MODES)
def test_equal_to_the_whole_photograph(mode: str, case: tuple[int, int, int]) -> None:
    """To more digits than float32 has, so that nothing can hide behind rounding."""
    *size, side = case
    network, photo = lively(mode).double(), uneven(*size).double()
    with torch.no_grad():
        whole = network(photo)
    torch.testing.assert_close(tiled(network, photo, side), whole, rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [(133, 87), (1, 100)])
@pytest.mark.parametrize("mode", MODES)
def test_equal_with_published_weights(mode: str, size: tuple[int, int], reference: Path) -> None:
    network = load_network(reference / "rave_unpaired.pth", mode)
    photo = uneven(*size)
    with torch.no_grad():
        whole = network(photo)
    torch.testing.assert_close(tiled(network, photo, 45), whole, rtol=0, atol=1e-5)


def test_enhancing_tiles_on_their_own_would_differ() -> None:
    """What the equality above is worth: without the pooling of the whole there are seams."""
    network = lively("reflect")
    photo = uneven(64, 64)
    with torch.no_grad():
        whole, alone = network(photo), network(photo[..., :32])
    assert (whole[..., :15] - alone[..., :15]).abs().max() > 0.01


def test_no_seam() -> None:
    """Steps across the tiles' borders are as large as without tiles, and no larger than others."""
    network = lively("reflect")
    photo = uneven(96, 96)
    with torch.no_grad():
        steps = network(photo).diff(dim=3).abs().mean((0, 1, 2))
    found = tiled(network, photo, 32).diff(dim=3).abs().mean((0, 1, 2))
    borders = torch.tensor([31, 63])
    torch.testing.assert_close(found[borders], steps[borders], rtol=0, atol=1e-5)
    assert found[borders].max() < 1.5 * found.median()


def test_no_seam_in_a_smooth_gradient(reference: Path) -> None:
    """Where nothing hides it: the result bends no more across a tile's border than elsewhere."""
    network = load_network(reference / "rave_unpaired.pth")
    ramp = torch.linspace(0.1, 0.3, 150)[:, None] + torch.linspace(0, 0.2, 170)
    photo = ramp.expand(1, 3, -1, -1).contiguous()
    with torch.no_grad():
        whole = apply_light_map(photo, network(photo))
    found = apply_light_map(photo, tiled(network, photo, 48))
    for dim in (2, 3):
        # Second differences: next to 0 on a slope, as high as the step where there is one.
        bends, wanted = (picture.diff(n=2, dim=dim).abs() for picture in (found, whole))
        torch.testing.assert_close(bends, wanted, rtol=0, atol=1e-5)
        assert bends[..., 20:-20, 20:-20].max() < 0.1 / 255


@pytest.mark.parametrize("size", [(1, 1), (1, 13), (4, 5), (7, 50), (61, 64)])
def test_pooling_in_tiles_is_adaptive_average_pooling(size: tuple[int, int]) -> None:
    network = lively("zeros")
    photo = uneven(*size)
    with torch.no_grad():
        whole = network.pyramid.pool(network.features(photo))
    tiles = cut(*size, 9, 5)
    assert len(tiles) > 1 or max(size) < 20
    found = pool_by_tiles(network, lambda window: photo[(..., *window.slices)], *size, tiles)
    for one, other in zip(found, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_reach_is_the_receptive_field() -> None:
    network = LightMapUNet()
    assert reach(network) == 17
    assert reach(network.conv_in) + reach(network.shallow) == 5


@pytest.mark.parametrize(("side", "around"), [(1, 0), (1, 2), (3, 1), (32, 17)])
def test_tiles_cover_each_pixel_once_and_see_around(side: int, around: int) -> None:
    for height, width in [(1, 1), (10, 7), (41, 67), (66, 1)]:
        count = torch.zeros(height, width)
        tiles = cut(height, width, side, around)
        shapes = set()
        for tile in tiles:
            part = count[tile.core.slices]
            assert 0 not in part.shape
            part += 1
            seen = torch.zeros(height, width)
            seen[tile.seen.slices] = 1
            shapes.add(tuple(seen[tile.seen.slices].shape))
            core = tile.core
            rows = slice(max(0, core.top - around), core.bottom + around)
            assert (seen[rows, max(0, core.left - around) : core.right + around] == 1).all()
        assert (count == 1).all()
        ((rows_seen, columns_seen),) = shapes
        for length, used in ((height, rows_seen), (width, columns_seen)):
            most = side + 2 * around
            assert used <= most
            if used < length:
                # One pixel less each, and they would not reach, or as many larger ones were cut.
                count = -(-(length - 2 * around) // side)
                assert count * (used - 2 * around - 1) < length - 2 * around


def test_tile_side_follows_the_memory() -> None:
    network = LightMapUNet()
    assert tile_side(network, 190 * 10**6) == 316 - 34
    assert tile_side(network, 10**12) == 1024
    with pytest.raises(ValueError, match=r"got 1\.0 MB of memory.*at least 4\.8 MB.*of 16 pixels"):
        tile_side(network, 10**6)


def test_nothing_to_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="photograph of 0x5 and tiles of side 8"):
        next(light_map_tiles(LightMapUNet(), lambda window: torch.rand(1), 0, 5, 8))


PEAK = """
import resource, sys
import numpy as np, torch
torch.set_num_threads(1)
from rave_mm.inference import PhotoEnhancer
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
enhancer = PhotoEnhancer(sys.argv[1], device="cpu", max_memory=int(sys.argv[2]))
photo = np.random.default_rng(0).integers(0, 90, (300, 500, 3), dtype=np.uint8)
enhancer.enhance(photo[:40, :40])
before = peak()
enhancer.enhance(photo)
print(peak() - before - photo.nbytes)
"""


@pytest.mark.slow
def test_peak_memory_is_bounded(tmp_path: Path) -> None:
    """The whole photograph at once would take 210 MB."""
    torch.save(LightMapUNet(start="identity").state_dict(), tmp_path / "weights.pth")
    budget = 40 * 10**6
    command = [sys.executable, "-c", PEAK, str(tmp_path / "weights.pth"), str(budget)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < budget
