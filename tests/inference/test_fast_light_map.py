"""The light map predicted from a part of the pixels: near the exact one, with all edges."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from kornia.filters import guided_blur
from PIL import Image
from torch import Tensor

import rave_mm
from rave_mm.inference import PhotoEnhancer
from rave_mm.inference.fast_light_map import (
    FAST_MEMORY,
    FAST_SIDE,
    fast_light_map_tiles,
    take_every,
)
from rave_mm.inference.photo_enhancer import LIGHT_MAP_OF_ONE
from rave_mm.inference.tiling import ReadWindow
from rave_mm.inference.weights import load_network
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.writing import write_photo


def reader(photo: Tensor) -> ReadWindow:
    return lambda window: photo[(..., *window.slices)]


def fast(network: LightMapUNet, photo: Tensor, side: int, long_side: int) -> Tensor:
    height, width = photo.shape[2:]
    found = photo.new_full((1, 1, height, width), torch.nan)
    for window, part, light_map in fast_light_map_tiles(
        network, reader(photo), height, width, side, long_side
    ):
        assert torch.equal(part, reader(photo)(window))
        found[(..., *window.slices)] = light_map
    return found


def pointwise(monkeypatch: pytest.MonkeyPatch) -> LightMapUNet:
    """A network whose light map is 0.2 plus half the brightness, pixel by pixel."""
    network = LightMapUNet().eval()
    monkeypatch.setattr(network, "forward", lambda x: 0.2 + x.mean(1, keepdim=True) / 2)
    return network


@pytest.mark.parametrize("size", [(70, 81), (33, 200), (200, 1), (97, 64)])
def test_every_third_pixel(size: tuple[int, int]) -> None:
    photo = torch.rand(1, 3, *size)
    for side in (1, 7, 20, 500):
        found = take_every(reader(photo), *size, side, 3)
        torch.testing.assert_close(found, photo[..., ::3, ::3], rtol=0, atol=0)


def test_edges_are_those_of_the_photograph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upsampled plainly, the light map would be blurred over the eight pixels of a small one."""
    network = pointwise(monkeypatch)
    photo = torch.full((1, 3, 160, 240), 0.05)
    photo[..., 101:] = 0.9
    photo[..., 77:, :] += 0.05
    exact = network.forward(photo)
    small = network.forward(photo[..., ::8, ::8])
    plain = F.interpolate(small, photo.shape[2:], mode="bilinear")
    assert (plain - exact).abs().max() > 0.2
    found = fast(network, photo, 64, 30)
    assert (found - exact).abs().max() < 0.1
    assert (found - exact).abs().mean() < (plain - exact).abs().mean() / 4
    across = found[0, 0, 40]
    assert (across[101] - across[100]) / (exact[0, 0, 40, 101] - exact[0, 0, 40, 100]) > 0.8


def test_tiles_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = torch.rand(1, 3, 90, 130)
    network = pointwise(monkeypatch)
    whole = fast(network, photo, 500, 40)
    for side in (16, 33):
        torch.testing.assert_close(fast(network, photo, side, 40), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_a_smooth_photograph_is_nearly_exact(mode: str, reference: Path) -> None:
    """Zeros around it make a frame some pixels wide, which is wider where pixels are larger."""
    network = load_network(reference / "rave_unpaired.pth", mode)
    ramp = torch.linspace(0.1, 0.4, 240)[:, None] + torch.linspace(0, 0.3, 320)
    for photo in (torch.full((1, 3, 240, 320), 0.2), ramp.expand(1, 3, -1, -1).contiguous()):
        with torch.no_grad():
            exact = network(photo)
        found = fast(network, photo, 300, 160)
        inside = (..., slice(40, -40), slice(40, -40))
        torch.testing.assert_close(found[inside], exact[inside], rtol=0.01, atol=0)
        if mode == "reflect":
            torch.testing.assert_close(found, exact, rtol=0.1, atol=0)


def test_it_is_kornias_filter_of_the_whole_photograph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every fifth pixel; sides that are no multiple of five go on as they end."""
    photo = torch.rand(1, 3, 90, 131, generator=torch.Generator().manual_seed(0))
    network = pointwise(monkeypatch)
    light_map = network.forward(photo[..., ::5, ::5])
    wanted = guided_blur(
        F.pad(photo.mean(1, keepdim=True), (0, 4, 0, 0), "replicate"),
        F.interpolate(light_map, (90, 135), mode="nearest"),
        kernel_size=21,
        eps=1e-4,
        border_type="replicate",
        subsample=5,
    )[..., :131].clamp(light_map.min(), light_map.max())
    for side in (1, 16, 33, 500):
        torch.testing.assert_close(fast(network, photo, side, 27), wanted, rtol=0, atol=1e-5)


def test_flat_regions_keep_the_light_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the photograph is there. Two values, or all would be clamped to one."""
    network = LightMapUNet().eval()
    halves = torch.cat([torch.full((1, 1, 17, 15), 0.3), torch.full((1, 1, 17, 15), 0.6)], dim=3)
    monkeypatch.setattr(network, "forward", lambda x: halves)
    found = fast(network, torch.rand(1, 3, 68, 120), 500, 30)
    torch.testing.assert_close(found[..., :36], torch.full((1, 1, 68, 36), 0.3), rtol=0, atol=1e-5)
    torch.testing.assert_close(found[..., 84:], torch.full((1, 1, 68, 36), 0.6), rtol=0, atol=1e-5)


@pytest.mark.parametrize("length", [49 * 8, 50 * 8])
def test_any_step(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """kornia 0.8 would shrink by 1 / 49, and 49 * (1 / 49) is less than 1."""
    photo = torch.full((1, 3, 3, length), 0.5)
    found = fast(pointwise(monkeypatch), photo, 500, 8)
    torch.testing.assert_close(found, torch.full((1, 1, 3, length), 0.45))


def test_never_beyond_what_the_network_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A speck that the network does not see is brighter than all that the line was fit to."""
    photo = torch.rand(1, 3, 64, 64) * 0.1
    photo[..., 30, 31] = 1
    small = pointwise(monkeypatch).forward(photo[..., ::4, ::4])
    found = fast(pointwise(monkeypatch), photo, 64, 16)
    assert small.min() <= found.min() and found.max() <= small.max()


def small_photo(dtype: type) -> np.ndarray:
    top = int(np.iinfo(dtype).max * 0.4)
    return np.random.default_rng(0).integers(0, top, (40, 71, 3), dtype)


def long_photo(dtype: type = np.uint8) -> np.ndarray:
    """Longer than what is taken as it is, in two halves, dark and bright."""
    photo = np.zeros((24, 2 * FAST_SIDE, 3), dtype)
    photo[:, :500], photo[:, 500:] = np.iinfo(dtype).max // 20, np.iinfo(dtype).max // 4
    return photo


def test_small_photographs_are_exact(checkpoint: Path) -> None:
    exact, quick = (PhotoEnhancer(checkpoint, device="cpu", fast=fast) for fast in (False, True))
    for dtype in (np.uint8, np.uint16):
        photo = small_photo(dtype)
        np.testing.assert_array_equal(quick.enhance(photo), exact.enhance(photo))
    edge = long_photo()[:, : FAST_SIDE * 3 // 2 - 1]
    np.testing.assert_array_equal(quick.enhance(edge), exact.enhance(edge))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_large_photographs_are_near(checkpoint: Path, dtype: type) -> None:
    photo = long_photo(dtype)
    exact, quick = (PhotoEnhancer(checkpoint, device="cpu", fast=fast) for fast in (False, True))
    wanted, light_map = exact.enhance(photo), np.empty(photo.shape[:2], np.uint16)
    found = quick.enhance_pixels(photo, light_map=light_map)
    top = np.iinfo(dtype).max
    assert found.dtype == dtype
    assert 0 < np.abs(found / top - wanted / top).mean() < 0.01
    divided = np.clip(photo / (light_map[..., None] / LIGHT_MAP_OF_ONE), 0, top)
    np.testing.assert_allclose(found, divided, atol=3 if top > 255 else 1)
    np.testing.assert_array_equal(quick.enhance(photo, 0), photo)
    half = quick.enhance(photo, 0.5)
    assert photo.mean() < half.mean() < found.mean()


def test_all_kinds_of_photographs(checkpoint: Path, tmp_path: Path) -> None:
    quick = PhotoEnhancer(checkpoint, device="cpu", fast=True)
    photo = long_photo()
    wanted = quick.enhance(photo)
    given = {"checkpoint": checkpoint, "device": "cpu", "fast": True}
    np.testing.assert_array_equal(rave_mm.enhance(photo, **given), wanted)
    tensor = torch.from_numpy(photo).permute(2, 0, 1) / 255
    np.testing.assert_allclose(
        quick.enhance(tensor).permute(1, 2, 0).numpy() * 255, wanted, atol=0.51
    )
    alpha = np.arange(photo.shape[1], dtype=np.uint8)[None].repeat(len(photo), 0)[..., None]
    image = Image.fromarray(np.concatenate([photo, alpha], 2))
    found = np.array(quick.enhance(image))
    np.testing.assert_array_equal(found, np.concatenate([wanted, alpha], 2))
    write_photo(tmp_path / "photo.png", photo)
    np.testing.assert_array_equal(quick.enhance(tmp_path / "photo.png"), wanted)


def test_too_little_memory(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="expected at least 4.8 MB"):
        PhotoEnhancer(checkpoint, device="cpu", max_memory=FAST_MEMORY + 1000, fast=True)


PEAK = """
import resource, sys
import numpy as np, torch
torch.set_num_threads(1)
from rave_mm.inference import PhotoEnhancer
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
enhancer = PhotoEnhancer(sys.argv[1], device="cpu", max_memory=int(sys.argv[2]), fast=True)
if sys.argv[3] == "light":  # the filter's share: the network is tiling's to bound
    enhancer.network.forward = lambda x: x[:, :1] + 1
    enhancer.network.features = lambda x: x[:, :1].repeat(1, 32, 1, 1)
    enhancer.network.light_map = lambda features, pooled, place: features[:, :1] + 1
photo = np.random.default_rng(0).integers(0, 90, (5000, 6000, 3), dtype=np.uint8)
enhancer.enhance(photo[:40, :40])
before = peak()
enhancer.enhance(photo)
print(peak() - before - photo.nbytes)
"""


@pytest.mark.slow
def test_peak_memory_is_bounded(tmp_path: Path) -> None:
    """The photograph's light map alone would take 120 MB."""
    torch.save(LightMapUNet(start="identity").state_dict(), tmp_path / "weights.pth")
    budget = FAST_MEMORY + 40 * 10**6
    command = [sys.executable, "-c", PEAK, str(tmp_path / "weights.pth"), str(budget), "light"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < budget
