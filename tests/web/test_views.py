"""What is shown: screen copies, light maps in colours, and histograms."""

from pathlib import Path

import numpy as np
import pytest

from rave_mm.inference.choosing import choose_enhancer
from rave_mm.photos.reading import open_photo, read_photo
from rave_mm.photos.writing import write_photo
from rave_mm.web.views import (
    SCREEN_SIDE,
    ScreenCopy,
    histograms,
    light_map_picture,
    stored_colours,
)
from tests.web.site import backlit

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
COLOURS = ["adobe_rgb_profile.png", "gray_profile.jpg", "lossless.webp", "planar16.tif"]


@pytest.mark.parametrize("name", COLOURS)
def test_a_screen_copy_is_the_photo_in_srgb(name: str) -> None:
    if not CASES.is_dir():
        pytest.skip(f"the files of photos are not here: no folder {CASES}")
    photo, wanted = open_photo(CASES / name), read_photo(CASES / name)
    screen = ScreenCopy.of(photo, stored_colours(photo))
    assert screen.pixels.dtype == wanted.dtype
    assert np.abs(screen.srgb - wanted / np.float32(np.iinfo(wanted.dtype).max)).max() < 1.5 / 255


def test_a_large_photo_is_reduced(tmp_path: Path) -> None:
    write_photo(tmp_path / "large.jpg", backlit(3300, 200))
    photo = open_photo(tmp_path / "large.jpg")
    screen = ScreenCopy.of(photo, stored_colours(photo, photo.shrink_for(SCREEN_SIDE)))
    assert screen.pixels.shape == (SCREEN_SIDE, 97, 3)


def test_the_light_map_is_that_of_the_photo(tmp_path: Path) -> None:
    """Computed once for each enhancer."""
    write_photo(tmp_path / "a.png", backlit(60, 90))
    photo, enhancer = open_photo(tmp_path / "a.png"), choose_enhancer()
    _, lines = enhancer.see(stored_colours(photo), photo.colour)
    screen = ScreenCopy.of(photo, stored_colours(photo))
    light_map = screen.light_map("one", lines)
    assert screen.light_map("one", lines) is light_map
    wanted = enhancer.enhance(backlit(60, 90))
    assert np.abs(screen.enhanced(light_map, 1) * 255 - wanted).max() < 1.01


def test_colours_of_a_light_map() -> None:
    """Gray where nothing changes, bluer the more it brightens, more orange the more it dims."""
    shown = light_map_picture(np.array([[1, 0.5, 0.01, 2, 100, 0]], np.float32))[0]
    assert shown[0].tolist() == [0.5] * 3
    assert 0.5 < shown[1, 2] < shown[2, 2] == shown[5, 2] == 1
    assert 0.5 < shown[3, 0] < shown[4, 0] == 1


def test_histograms_count_each_pixel_once() -> None:
    counts = histograms(np.array([[[0, 0.5, 1], [1, 1, 1]]], np.float32))
    assert all(sum(count) == 2 and len(count) == 64 for count in counts.values())
    assert counts["red"][0] == counts["red"][63] == counts["green"][32] == 1
    assert counts["blue"][63] == 2
