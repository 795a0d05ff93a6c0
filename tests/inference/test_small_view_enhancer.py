"""Enhancing with the network that sees small: every kind and size of photograph, one result."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rave_mm.functional import apply_light_map
from rave_mm.inference import PhotoEnhancer
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.inference.weights import load_network
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.small_view_net import SmallViewLightMapNet
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo

SIDE = 48


@pytest.fixture(scope="module")
def seer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a network that brightens by its whim, smoothly."""
    torch.manual_seed(3)
    network = SmallViewLightMapNet(SIDE, (8, 12, 16))
    with torch.no_grad():
        network.out.weight.normal_(std=0.01)
        network.out.bias.copy_(torch.tensor([0.6, -0.7]))
    path = tmp_path_factory.mktemp("seer") / "iter_9.pth"
    state_dict = {f"generator.{name}": value for name, value in network.state_dict().items()}
    torch.save({"meta": {}, "state_dict": state_dict}, path)
    return path


def photo(*size: int, dtype: type = np.uint8) -> np.ndarray:
    """Dark below, bright above, with a sharp outline and some texture."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    bright = rows < size[0] * (0.4 + 0.2 * np.sin(columns / max(size) * 9))
    values = np.where(bright, 0.8, 0.15)[..., None] * np.array([0.9, 1.0, 0.8])
    values = values + np.random.default_rng(0).normal(0, 0.01, values.shape)
    return np.round(values.clip(0, 1) * np.iinfo(dtype).max).astype(dtype)


def test_a_checkpoint_tells_its_network_and_side(seer: Path, checkpoint: Path) -> None:
    assert isinstance(load_network(seer), SmallViewLightMapNet)
    assert isinstance(load_network(checkpoint), LightMapUNet)
    enhancer = PhotoEnhancer(seer, device="cpu")
    assert enhancer.light_map_side == SIDE
    assert PhotoEnhancer(seer, device="cpu", light_map_side=20).light_map_side == 20
    assert PhotoEnhancer(checkpoint, device="cpu").light_map_side is None


@pytest.mark.parametrize("size", [(48, 30), (20, 31), (7, 5)])
def test_photographs_no_larger_than_the_view_are_as_trained(
    seer: Path, size: tuple[int, int]
) -> None:
    """The training code's result, to rounding."""
    x = torch.from_numpy(photo(*size)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        wanted = apply_light_map(x, load_network(seer)(x))[0].permute(1, 2, 0).numpy() * 255
    found = PhotoEnhancer(seer, device="cpu").enhance(photo(*size))
    assert np.abs(found - wanted).max() <= 0.51


@pytest.mark.parametrize("size", [(300, 400), (700, 90)])
def test_large_photographs_are_nearly_as_trained(seer: Path, size: tuple[int, int]) -> None:
    """libvips and PyTorch reduce alike but for how they weigh what lies between pixels."""
    x = torch.from_numpy(photo(*size)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        wanted = apply_light_map(x, load_network(seer)(x))[0].permute(1, 2, 0).numpy() * 255
    found = PhotoEnhancer(seer, device="cpu").enhance(photo(*size))
    assert np.abs(found - wanted).mean() < 1
    assert found.mean() > photo(*size).mean() + 10


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (200, 2), (3, 3), (2000, 30), (130, 170)])
@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "gray", "alpha"])
def test_files_by_rows_are_arrays_results(
    seer: Path, tmp_path: Path, size: tuple[int, int], kind: str
) -> None:
    pixels = photo(*size, dtype=np.uint16 if kind == "16 bits" else np.uint8)
    if kind == "gray":
        pixels = pixels[..., :1]
    source, target = tmp_path / "photo.png", tmp_path / "out.png"
    if kind == "alpha":
        alpha = np.full((*size, 1), 77, np.uint8)
        Image.fromarray(np.concatenate([pixels, alpha], 2)).save(source)
    else:
        write_photo(source, pixels)
    enhancer = PhotoEnhancer(seer, device="cpu")
    (outcome,) = PhotoRun(enhancer)([PhotoJob(source, target)])
    assert outcome.status == "done", outcome.reason
    wanted = enhancer.enhance_pixels(pixels).astype(float)
    if kind == "alpha":
        with Image.open(target) as result:
            found = np.array(result)
        assert (found[..., 3] == 77).all()
        found = found[..., :3]
    else:
        found = read_photo(target)[..., : pixels.shape[2]]
    assert found.dtype == pixels.dtype and found.shape == pixels.shape
    step = 257 if kind == "16 bits" else 1
    difference = np.abs(found - wanted) / step
    assert difference.mean() < 0.1 and difference.max() <= 1


def test_a_very_long_photograph(seer: Path) -> None:
    pixels = np.full((40, 20000, 3), 60, np.uint8)
    found = PhotoEnhancer(seer, device="cpu").enhance(pixels)
    assert found.shape == pixels.shape and found.min() > 60


def test_strength_and_tensors(seer: Path) -> None:
    enhancer, pixels = PhotoEnhancer(seer, device="cpu"), photo(120, 160)
    np.testing.assert_array_equal(enhancer.enhance(pixels, 0), pixels)
    whole, half = enhancer.enhance(pixels), enhancer.enhance(pixels, 0.5)
    assert pixels.mean() < half.mean() < whole.mean()
    tensor = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    np.testing.assert_allclose(
        enhancer.enhance(tensor).permute(1, 2, 0).numpy() * 255, whole, atol=1.51
    )


def test_edges_stay_sharp(seer: Path) -> None:
    """The light map has the photograph's edge, to the pixel."""
    enhancer = PhotoEnhancer(seer, device="cpu")
    pixels = np.full((400, 600, 3), 30, np.uint8)
    pixels[:, 301:] = 200
    result = enhancer.enhance(pixels)[200, :, 1].astype(int)
    rows = np.diff(result)
    assert rows.argmax() == 300 and rows[300] > 100
