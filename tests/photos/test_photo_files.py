"""A result keeps what the photograph's file had."""

import re
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from rave_mm.photos import photo_files
from rave_mm.photos.image_files import UnreadablePhotoError, read_photo
from rave_mm.photos.photo_files import (
    PhotoFile,
    memory_of_photo,
    photo_extensions,
    read_photo_file,
    write_photo_file,
)

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6" b="\xc3\xa9"/></x:xmpmeta>'
LOSSLESS = (".png", ".tif", ".bmp")


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def camera_exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    exif[0x8769] = {0x829A: 0.01, 0xA002: 30, 0xA003: 20, 0x927C: b"note\0"}
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.5)}
    return exif


def parsed(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    tags.load(exif)
    return tags


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pixels_alpha_and_metadata(
    tmp_path: Path, suffix: str, dtype: type, colours: int, alpha: bool
) -> None:
    photo = PhotoFile(
        noise(150, 130, colours, dtype=dtype),
        noise(150, 130, dtype=dtype) if alpha else None,
        camera_exif(1).tobytes(),
        PROFILE if colours == 3 else b"",  # of RGB
        XMP.replace(b"6", b"1"),
        (300, 200),
    )
    path = tmp_path / f"photo{suffix}"
    write_photo_file(path, photo)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    found = read_photo_file(path)
    if (suffix, dtype, colours, alpha) == (".tif", np.uint16, 1, True):
        assert found.pixels.shape[2] == 3  # there is no such TIFF for Pillow
        assert (found.pixels == found.pixels[..., :1]).all()
        found = found.with_pixels(found.pixels[..., :1])
    assert found.pixels.dtype == dtype
    np.testing.assert_array_equal(found.pixels, photo.pixels)
    assert (found.alpha is None) == (not alpha)
    if alpha:
        assert found.alpha is not None and found.alpha.dtype == dtype
        np.testing.assert_array_equal(found.alpha, photo.alpha)
    assert found.icc_profile == photo.icc_profile
    assert found.xmp == photo.xmp
    assert found.dpi == pytest.approx((300, 200), abs=0.02)
    exif = parsed(found.exif)
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769)[0x927C] == b"note\0"
    assert exif.get_ifd(0x8825) == {1: "N", 2: (1.0, 2.0, 3.5)}
    np.testing.assert_array_equal(read_photo(path)[..., :colours], photo.pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_files_are_what_others_read(tmp_path: Path, suffix: str, channels: int) -> None:
    pixels = noise(70, 33, channels, dtype=np.uint16)
    alpha = pixels[..., 3] if channels == 4 else None
    write_photo_file(tmp_path / f"a{suffix}", PhotoFile(pixels[..., :3], alpha))
    found = cv2.imread(str(tmp_path / f"a{suffix}"), cv2.IMREAD_UNCHANGED)
    found = found.reshape(70, 33, -1)[..., [2, 1, 0, 3][:channels] if channels > 1 else [0]]
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("source", [".jpg", ".png", ".tif", ".webp"])
def test_turned_once_and_told_so(tmp_path: Path, source: str, suffix: str) -> None:
    """From each format to each: upright, orientation 1, sizes in EXIF of the upright picture."""
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[:16, :32] = 220
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    kept = {"xmp": XMP} if source in (".jpg", ".webp") else {}
    exif = camera_exif(6).tobytes()
    stored.save(tmp_path / f"in{source}", exif=exif, icc_profile=PROFILE, **kept)
    write_photo_file(tmp_path / f"out{suffix}", read_photo_file(tmp_path / f"in{source}"))
    found = read_photo_file(tmp_path / f"out{suffix}")
    np.testing.assert_allclose(found.pixels, upright, atol=25)
    np.testing.assert_allclose(np.array(Image.open(tmp_path / f"out{suffix}")), upright, atol=25)
    tags = parsed(found.exif)
    # Pillow drops the orientation of a TIFF that it has turned.
    assert tags.get(0x0112, 1) == 1
    assert tags[0x010F] == "Maker"
    assert tags.get_ifd(0x8825)[1] == "N"
    inner = tags.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == (64, 32)
    assert found.icc_profile == PROFILE
    assert b'tiff:Orientation="6"' not in found.xmp
    assert bool(found.xmp) == bool(kept)


def test_tags_of_a_tiffs_layout_stay_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    image = Image.fromarray(noise(20, 30, 3))
    image.save(tmp_path / "in.tif", compression="tiff_lzw", exif=exif.tobytes())
    assert dict(parsed(read_photo_file(tmp_path / "in.tif").exif)) == {0x010F: "Maker"}


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_gray_stays_gray(tmp_path: Path, suffix: str) -> None:
    gray = noise(20, 30, 1)
    Image.fromarray(gray[..., 0]).save(tmp_path / f"in{suffix}")
    photo = read_photo_file(tmp_path / f"in{suffix}")
    np.testing.assert_array_equal(photo.pixels, gray)
    write_photo_file(tmp_path / f"out{suffix}", photo)
    assert Image.open(tmp_path / f"out{suffix}").mode == "L"


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    colours = np.zeros((20, 30, 3), np.uint8)
    colours[:10, :, 0] = 200
    image = Image.fromarray(colours).quantize(4)
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=bytes([0, 255]))
    for name in ("opaque.png", "clear.png"):
        photo = read_photo_file(tmp_path / name)
        np.testing.assert_array_equal(photo.pixels, colours)
        assert (photo.alpha is None) == (name == "opaque.png")
        if photo.alpha is not None:
            assert sorted(np.unique(photo.alpha)) == [0, 255]


def test_cmyk_becomes_rgb_without_its_profile(tmp_path: Path) -> None:
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).convert("CMYK").save(tmp_path / "in.jpg", icc_profile=PROFILE)
    photo = read_photo_file(tmp_path / "in.jpg")
    np.testing.assert_allclose(photo.pixels, red, atol=3)
    assert photo.icc_profile == b""


def test_jpeg_has_full_colour_resolution(tmp_path: Path) -> None:
    write_photo_file(tmp_path / "a.jpg", PhotoFile(noise(64, 64, 3)))
    with Image.open(tmp_path / "a.jpg") as image:
        assert [part[1:3] for part in image.layer] == [(1, 1)] * 3
        assert image.quantization[0][0] <= 3  # quality 95


def test_formats_of_8_bits_and_without_alpha(tmp_path: Path) -> None:
    deep = PhotoFile(np.full((4, 5, 3), 257 * 99, np.uint16), np.full((4, 5), 65535, np.uint16))
    for suffix in (".jpg", ".bmp"):  # opaque throughout: nothing is lost
        write_photo_file(tmp_path / f"a{suffix}", deep)
        np.testing.assert_allclose(read_photo(tmp_path / f"a{suffix}"), 99, atol=1)
    clear = PhotoFile(deep.pixels, noise(4, 5, dtype=np.uint16))
    with pytest.raises(ValueError, match=r"b\.jpg: JPEG has no alpha; .* such as png"):
        write_photo_file(tmp_path / "b.jpg", clear)
    with pytest.raises(ValueError, match=r"b\.gif: expected a name in \.bmp"):
        write_photo_file(tmp_path / "b.gif", clear)
    assert not (tmp_path / "b.jpg").exists()


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photo_file(tmp_path / "a.png", PhotoFile(noise(4, 5, 3)))
    before = (tmp_path / "a.png").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(photo_files, "write_deep_png", full)
    with pytest.raises(OSError, match="No space left"):
        write_photo_file(tmp_path / "a.png", PhotoFile(noise(4, 5, 3, dtype=np.uint16)))
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    for read in (read_photo_file, memory_of_photo):
        with pytest.raises(UnreadablePhotoError, match=r"bomb\.png: .*DecompressionBomb"):
            read(tmp_path / "bomb.png")


def test_memory_of_photo_is_more_than_it_holds(tmp_path: Path) -> None:
    for name, photo in (
        ("a.jpg", PhotoFile(noise(20, 30, 3))),
        ("b.png", PhotoFile(noise(20, 30, 3), noise(20, 30))),
        ("c.png", PhotoFile(noise(20, 30, 3, dtype=np.uint16))),
    ):
        write_photo_file(tmp_path / name, photo)
        size = (tmp_path / name).stat().st_size
        assert memory_of_photo(tmp_path / name) - size == 600 * {"a": 12, "b": 17, "c": 24}[name[0]]


def test_heic_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_files.importlib.util, "find_spec", lambda name: None)
    assert ".heic" not in photo_extensions()
    for use in (read_photo_file, lambda path: write_photo_file(path, PhotoFile(noise(4, 5, 3)))):
        with pytest.raises(UnreadablePhotoError, match=re.escape("pip install pillow-heif")):
            use(tmp_path / "a.heic")
    registered: list[bool] = []
    library = types.ModuleType("pillow_heif")
    library.register_heif_opener = lambda: registered.append(True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", library)
    monkeypatch.setattr(photo_files.importlib.util, "find_spec", lambda name: library)
    assert photo_extensions()[-2:] == (".heic", ".heif")
    assert registered
