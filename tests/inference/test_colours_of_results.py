"""The network sees sRGB; a result stays in its photograph's colours, and says the same in them."""

from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from rave_mm.inference import PhotoEnhancer
from rave_mm.photos.colour import ColourSpace
from rave_mm.photos.metadata import Metadata
from rave_mm.photos.photo import LoadedPhoto
from rave_mm.photos.reading import open_photo
from rave_mm.photos.writing import write_photo

P3 = ColourSpace(bytes(pyvips.Image.profile_load("p3")))


def dark_scene() -> np.ndarray:
    """Smooth, 16 bits, well within sRGB; dark at the bottom."""
    y, x = np.mgrid[0:1:48j, 0:1:64j]
    colours = np.stack([0.3 + 0.4 * x, 0.35 + 0.3 * y, 0.6 - 0.3 * x], 2) * (1 - 0.7 * y)[..., None]
    return np.round(colours * 65535).astype(np.uint16)


def write_p3(path: Path, srgb: np.ndarray) -> None:
    """The same picture in Display P3."""
    values = P3.from_srgb(srgb / np.float32(65535), srgb)
    like = LoadedPhoto(values, metadata=Metadata(icc_profile=P3.icc_profile))
    write_photo(path, values, like)


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.8])
def test_the_same_picture_in_another_profile_gives_the_same_result(
    enhancer: PhotoEnhancer, tmp_path: Path, strength: float
) -> None:
    write_photo(tmp_path / "srgb.png", dark_scene())
    write_p3(tmp_path / "p3.png", dark_scene())
    for name in ("srgb", "p3"):
        enhancer.enhance(tmp_path / f"{name}.png", strength, out=tmp_path / f"{name}_out.png")
    wanted, found = (open_photo(tmp_path / f"{name}_out.png").load() for name in ("srgb", "p3"))
    assert found.metadata.icc_profile == P3.icc_profile
    assert not wanted.metadata.icc_profile
    difference = found.colour.to_srgb(found.values) - wanted.colour.to_srgb(wanted.values)
    assert np.abs(difference).max() < 2 / 255
    assert np.abs(wanted.values.astype(int) - dark_scene()).max() > 2000, "something was done"


def test_colours_that_srgb_cannot_show_are_not_clipped(
    enhancer: PhotoEnhancer, tmp_path: Path
) -> None:
    values = np.zeros((32, 32, 3), np.uint8)
    values[..., 1] = np.linspace(60, 250, 32)  # the greens of P3
    like = LoadedPhoto(values, metadata=Metadata(icc_profile=P3.icc_profile))
    write_photo(tmp_path / "green.png", values, like)
    enhancer.enhance(tmp_path / "green.png", out=tmp_path / "out.png")
    found = open_photo(tmp_path / "out.png").load().values
    srgb = P3.to_srgb(found)
    assert srgb[:, -1].min() < -0.2, "still beyond sRGB"
    assert (found[..., 1] >= values[..., 1]).all()


def test_pictures_of_pillow_have_their_profile_too(enhancer: PhotoEnhancer, tmp_path: Path) -> None:
    write_p3(tmp_path / "p3.png", dark_scene())
    with Image.open(tmp_path / "p3.png") as image:
        image.load()
        found = np.asarray(enhancer.enhance(image))
        assert enhancer.enhance(image).info["icc_profile"] == P3.icc_profile
        values = np.asarray(image)
    np.testing.assert_array_equal(found, enhancer.enhance_pixels(values, colour=P3))
    assert (found != enhancer.enhance_pixels(values)).any(), "as sRGB it is another picture"
    broken = Image.fromarray(values)
    broken.info["icc_profile"] = b"no profile"
    with pytest.raises(ValueError, match="its colour profile is damaged"):
        enhancer.enhance(broken)


def test_a_file_with_a_damaged_profile_is_taken_for_srgb_and_keeps_it(
    enhancer: PhotoEnhancer, tmp_path: Path
) -> None:
    values = (dark_scene() // 257).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.jpg", quality=95, icc_profile=b"no profile at all")
    photo = open_photo(tmp_path / "a.jpg")
    assert photo.notes == (
        "its colour profile is damaged or not for 3 channels: its values are taken for sRGB",
    )
    enhancer.enhance(tmp_path / "a.jpg", out=tmp_path / "out.png")
    wanted = enhancer.enhance_pixels(photo.pixels()[0])
    np.testing.assert_array_equal(open_photo(tmp_path / "out.png").pixels()[0], wanted)
