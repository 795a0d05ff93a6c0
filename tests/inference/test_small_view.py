"""The light map from a small view: near the exact one, with all edges, for any size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import rave_mm
from rave_mm.inference import PhotoEnhancer
from rave_mm.inference.small_view import (
    LIGHT_MAP_OF_ONE,
    LightLines,
    brightness_of,
    fit_lines,
    see_small,
)
from rave_mm.inference.streaming import enhanced_image, light_map_image, upright_stream
from rave_mm.inference.weights import load_network
from rave_mm.inference.windows import Window
from rave_mm.photos.colour import SRGB, image_of, pixels_of
from rave_mm.photos.reading import open_photo
from rave_mm.photos.writing import write_photo


def pointwise(photo: np.ndarray) -> np.ndarray:
    """A light map of 0.2 plus half the brightness, pixel by pixel."""
    return np.float32(0.2) + brightness_of(photo) / 2


def reduced(photo: np.ndarray, by: int) -> np.ndarray:
    height, width = photo.shape[0] // by, photo.shape[1] // by
    return cv2.resize(photo[: height * by, : width * by], (width, height), interpolation=3)


def noise(*size: int) -> np.ndarray:
    return np.random.default_rng(0).random((*size, 3), dtype=np.float32)


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """By PyTorch."""
    given = torch.from_numpy(values)[None, None]
    return F.interpolate(given, (height, width), mode="bilinear")[0, 0].numpy()


def test_a_line_is_found_where_there_is_one() -> None:
    photo = noise(20, 30)
    lines = fit_lines(pointwise(photo), brightness_of(photo))
    np.testing.assert_allclose(lines.slopes, 0.5, rtol=0.01)
    np.testing.assert_allclose(lines.whole(photo), pointwise(photo), atol=2e-3)


def test_the_filter_is_that_of_the_paper() -> None:
    """Equations 5 to 8 of the guided filter, box by box, with a loop over pixels."""
    guide, light_map = np.random.default_rng(0).random((2, 9, 11))
    lines = fit_lines(light_map, guide)

    def box(values: np.ndarray, row: int, column: int) -> np.ndarray:
        return values[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]

    slopes, offsets = np.zeros((9, 11)), np.zeros((9, 11))
    for row in range(9):
        for column in range(11):
            g, m = (box(values, row, column) for values in (guide, light_map))
            covariance = ((g - g.mean()) * (m - m.mean())).mean()
            slopes[row, column] = covariance / (g.var() + 1e-4)
            offsets[row, column] = m.mean() - slopes[row, column] * g.mean()
    for row in range(9):
        for column in range(11):
            for found, values in ((lines.slopes, slopes), (lines.offsets, offsets)):
                wanted = box(values, row, column).mean()
                assert found[row, column] == pytest.approx(wanted, abs=1e-5)


def test_edges_are_those_of_the_photograph() -> None:
    """Enlarged plainly, the light map would be blurred over the eight pixels of a small one."""
    photo = np.full((160, 240, 3), 0.05, np.float32)
    photo[:, 101:] = 0.9
    photo[77:] += 0.05
    exact, small = pointwise(photo), reduced(photo, 8)
    plain = enlarged(pointwise(small), 160, 240)
    assert np.abs(plain - exact).max() > 0.2
    found = fit_lines(pointwise(small), brightness_of(small)).whole(photo)
    assert np.abs(found - exact).max() < 0.1
    assert np.abs(found - exact).mean() < np.abs(plain - exact).mean() / 4
    across, wanted = found[40], exact[40]
    assert (across[101] - across[100]) / (wanted[101] - wanted[100]) > 0.8


def test_windows_leave_no_seam() -> None:
    photo = noise(90, 130)
    small = reduced(photo, 4)
    lines = fit_lines(np.sqrt(pointwise(small)), brightness_of(small))
    whole = lines.whole(photo)
    for window in (Window(0, 90, 0, 130), Window(3, 50, 70, 130), Window(89, 90, 0, 1)):
        part = brightness_of(photo)[window.slices]
        np.testing.assert_allclose(lines.at(part, window, 90, 130), whole[window.slices], atol=1e-5)


def test_lines_are_enlarged_bilinearly() -> None:
    values = noise(5, 7)[..., 0]
    lines = LightLines(np.zeros_like(values), values, 0, 1)
    found = lines.at(np.zeros((33, 40), np.float32), Window(0, 33, 0, 40), 33, 40)
    np.testing.assert_allclose(found, enlarged(values, 33, 40), atol=1e-6)


def test_logarithms_of_light_maps() -> None:
    values = noise(5, 7)
    plain = LightLines(values[..., 0], values[..., 1], -1, 0.7)
    logarithmic = LightLines(values[..., 0], values[..., 1], -1, 0.7, logarithmic=True)
    photo = noise(30, 40)
    np.testing.assert_allclose(logarithmic.whole(photo), np.exp(plain.whole(photo)), rtol=1e-6)
    found = pixels_of(logarithmic.of_image(image_of(brightness_of(photo)[..., None])))[..., 0]
    np.testing.assert_allclose(found, logarithmic.whole(photo), atol=2e-5)


@pytest.mark.parametrize("size", [(90, 131), (1, 1), (1, 200), (300, 20)])
def test_libvips_computes_the_same(size: tuple[int, int]) -> None:
    photo = noise(*size)
    small = cv2.resize(photo, (max(1, size[1] // 7), max(1, size[0] // 7)), interpolation=3)
    lines = fit_lines(np.sqrt(pointwise(small)), brightness_of(small))
    deep = np.round(photo * 65535).astype(np.uint16)
    found = pixels_of(light_map_image(image_of(deep), 3, lines))
    np.testing.assert_allclose(found[..., 0], lines.whole(photo), atol=2e-5)
    bright = pixels_of(enhanced_image(image_of(deep), 3, lines))
    wanted = np.clip(deep / found, 0, 65535)
    assert bright.dtype == np.uint16
    np.testing.assert_allclose(bright, wanted, atol=1)


@pytest.mark.parametrize("strength", [0, 0.3, 1, 2.5])
def test_strength_by_rows_is_that_of_arrays(strength: float, enhancer: PhotoEnhancer) -> None:
    quick = PhotoEnhancer(device="cpu", light_map_side=40)
    quick.network = enhancer.network
    pixels = (noise(60, 100) * 150).astype(np.uint8)
    _, lines = quick.see(image_of(pixels), SRGB)
    by_rows = pixels_of(enhanced_image(image_of(pixels), 3, lines, strength))
    wanted = quick.enhance(pixels, strength)
    difference = np.abs(by_rows.astype(int) - wanted)
    assert difference.mean() < 0.02 and difference.max() <= 1
    if strength == 0:
        np.testing.assert_array_equal(by_rows, pixels)


def test_a_light_map_of_zero() -> None:
    nothing = np.zeros((2, 2), np.float32)
    lines = LightLines(nothing, nothing, 0, 0)
    pixels = np.array([[[0, 1, 255]]], np.uint8)
    found = pixels_of(enhanced_image(image_of(pixels), 3, lines))
    assert found.tolist() == [[[0, 255, 255]]]


def test_never_beyond_what_the_network_gave() -> None:
    """A speck that the network does not see is brighter than all that the line was fit to."""
    photo = noise(64, 64) * 0.1
    small = reduced(photo, 4)
    photo[30, 31] = 1
    lines = fit_lines(pointwise(small), brightness_of(small))
    found, given = lines.whole(photo), pointwise(small)
    assert given.min() <= found.min() and found.max() <= given.max()


@pytest.mark.parametrize(
    ("size", "small"), [((300, 200), (60, 40)), ((20, 4000), (1, 60)), ((50, 60), (50, 60))]
)
def test_the_small_view(size: tuple[int, int], small: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 90, np.uint8)
    assert see_small(image_of(pixels), 60).shape == (*small, 3)
    assert (see_small(image_of(pixels), 60) == 90).all()


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_a_smooth_photograph_is_nearly_exact(mode: str, reference: Path) -> None:
    """Zeros around it make a frame some pixels wide, which is wider where pixels are larger."""
    network = load_network(reference / "rave_unpaired.pth", mode)
    quick = PhotoEnhancer(reference / "rave_unpaired.pth", device="cpu", light_map_side=160)
    quick.network = network
    ramp = torch.linspace(0.1, 0.4, 240)[:, None] + torch.linspace(0, 0.3, 320)
    photo = ramp.expand(1, 3, -1, -1).contiguous()
    with torch.no_grad():
        exact = network(photo)[0, 0].numpy()
    pixels = np.ascontiguousarray(photo[0].permute(1, 2, 0).numpy())
    found = quick.see(image_of(pixels), SRGB)[1].whole(pixels)
    inside = (slice(40, -40), slice(40, -40))
    np.testing.assert_allclose(found[inside], exact[inside], rtol=0.02)
    if mode == "reflect":
        np.testing.assert_allclose(found, exact, rtol=0.1)


def long_photo(dtype: type = np.uint8) -> np.ndarray:
    """Longer than the view, in two halves, dark and bright."""
    photo = np.zeros((24, 300, 3), dtype)
    photo[:, :80], photo[:, 80:] = np.iinfo(dtype).max // 20, np.iinfo(dtype).max // 4
    return photo


def test_photographs_no_larger_than_the_view_are_exact(checkpoint: Path) -> None:
    exact = PhotoEnhancer(checkpoint, device="cpu")
    quick = PhotoEnhancer(checkpoint, device="cpu", light_map_side=71)
    photo = (noise(40, 71) * 99).astype(np.uint8)
    np.testing.assert_array_equal(quick.enhance(photo), exact.enhance(photo))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_large_photographs_are_near(checkpoint: Path, dtype: type) -> None:
    photo = long_photo(dtype)
    exact, quick = (
        PhotoEnhancer(checkpoint, device="cpu", light_map_side=side) for side in (None, 150)
    )
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
    quick = PhotoEnhancer(checkpoint, device="cpu", light_map_side=100)
    photo = long_photo()
    wanted = quick.enhance(photo)
    found = rave_mm.enhance(photo, checkpoint=checkpoint, device="cpu", light_map_side=100)
    np.testing.assert_array_equal(found, wanted)
    tensor = torch.from_numpy(photo).permute(2, 0, 1) / 255
    np.testing.assert_allclose(
        quick.enhance(tensor).permute(1, 2, 0).numpy() * 255, wanted, atol=1.51
    )
    alpha = np.arange(photo.shape[1], dtype=np.uint8)[None].repeat(len(photo), 0)[..., None]
    image = Image.fromarray(np.concatenate([photo, alpha], 2))
    np.testing.assert_array_equal(
        np.array(quick.enhance(image)), np.concatenate([wanted, alpha], 2)
    )
    write_photo(tmp_path / "photo.png", photo)
    np.testing.assert_array_equal(quick.enhance(tmp_path / "photo.png"), wanted)


def test_a_view_of_nothing_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="got light_map_side=0; expected 1 pixel or more"):
        PhotoEnhancer(checkpoint, device="cpu", light_map_side=0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_by_rows(tmp_path: Path, orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray((noise(30, 50) * 255).astype(np.uint8)).save(tmp_path / "a.png", exif=tags)
    photo = open_photo(tmp_path / "a.png")
    found = pixels_of(upright_stream(photo))
    np.testing.assert_array_equal(found, photo.pixels()[0])
