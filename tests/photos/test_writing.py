"""A result keeps what the photograph's file had."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms

from rave_mm.photos import formats, writing
from rave_mm.photos.colour import SRGB
from rave_mm.photos.metadata import Metadata
from rave_mm.photos.photo import LoadedPhoto, Values
from rave_mm.photos.reading import open_photo, read_photo
from rave_mm.photos.writing import write_photo

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6" b="\xc3\xa9"/></x:xmpmeta>'
LOSSLESS = (".png", ".tif", ".bmp")
WITH_EXIF = (".jpg", ".png", ".tif", ".webp", ".heic")


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def camera_exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    exif[0x4746] = 4  # a rating, which libexif does not know
    exif[0x8769] = {
        0x829A: 0.01,
        0xA002: 30,
        0xA003: 20,
        0x927C: b"note\0",
        0xA005: {1: "R98", 2: b"0100"},
        0xA436: "Title",  # of EXIF 3
    }
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.5)}
    return exif


def load(path: Path) -> LoadedPhoto:
    return open_photo(path).load()


def write(path: Path, values: Values, alpha: Values | None = None) -> None:
    write_photo(path, values, LoadedPhoto(values, alpha))


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
    values = noise(150, 130, colours, dtype=dtype)
    photo = LoadedPhoto(
        values,
        noise(150, 130, dtype=dtype) if alpha else None,
        metadata=Metadata(
            camera_exif(1).tobytes(),
            PROFILE if colours == 3 else b"",  # of RGB
            XMP.replace(b"6", b"1"),
            dpi=(300, 200),
        ),
    )
    path = tmp_path / f"photo{suffix}"
    write_photo(path, values, photo)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    found = load(path)
    assert found.values.dtype == dtype
    np.testing.assert_array_equal(found.values, values)
    assert (found.alpha is None) == (not alpha)
    if alpha:
        assert found.alpha is not None and found.alpha.dtype == dtype
        np.testing.assert_array_equal(found.alpha, photo.alpha)
    assert found.metadata.icc_profile == photo.metadata.icc_profile
    assert found.metadata.xmp == photo.metadata.xmp
    assert found.metadata.dpi == pytest.approx((300, 200), abs=0.02)
    exif = parsed(found.metadata.exif)
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769)[0x927C] == b"note\0"
    assert exif.get_ifd(0x8825) == {1: "N", 2: (1.0, 2.0, 3.5)}
    np.testing.assert_array_equal(read_photo(path)[..., :colours], values)


@pytest.mark.parametrize("suffix", WITH_EXIF)
def test_every_tag_of_exif_is_kept(tmp_path: Path, suffix: str) -> None:
    """Read by another library than wrote it, tags included that libexif would drop."""
    values = noise(40, 30, 3)
    photo = LoadedPhoto(values, metadata=Metadata(camera_exif(1).tobytes()))
    path = tmp_path / f"a{suffix}"
    write_photo(path, values, photo)
    if suffix == ".heic":
        pillow_heif.register_heif_opener()
    with Image.open(path) as image:
        found = image.getexif()
        for tag in (0x010F, 0x0112, 0x4746):
            assert found[tag] == camera_exif(1)[tag]
        sent = parsed(camera_exif(1).tobytes())
        inner, wanted = found.get_ifd(0x8769), sent.get_ifd(0x8769)
        for tag in (0x829A, 0xA002, 0x927C, 0xA436):
            assert inner[tag] == wanted[tag]
        assert found.get_ifd(0xA005) == {1: "R98", 2: b"0100"}
        assert found.get_ifd(0x8825) == sent.get_ifd(0x8825)
        assert image.convert("RGB").size == (30, 40)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_exif_in_each_form_of_webp(tmp_path: Path, lossless: bool, alpha: bool) -> None:
    values = noise(41, 33, 3)
    clear = noise(41, 33) if alpha else None
    metadata = Metadata(camera_exif(1).tobytes())
    write_photo(tmp_path / "a.webp", values, LoadedPhoto(values, clear, SRGB, metadata, lossless))
    with Image.open(tmp_path / "a.webp") as image:
        image.load()
        assert image.mode == ("RGBA" if alpha else "RGB") and image.size == (33, 41)
        assert image.getexif()[0x4746] == 4
        if lossless:
            np.testing.assert_array_equal(np.array(image)[..., :3], values)
    found = load(tmp_path / "a.webp")
    assert found.lossless == lossless
    if alpha:
        np.testing.assert_array_equal(found.alpha, clear)


def test_exif_in_a_tiff_beyond_4_gb_in_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_LARGEST_TIFF", 100)
    values = noise(20, 30, 3, dtype=np.uint16)
    photo = LoadedPhoto(values, metadata=Metadata(camera_exif(1).tobytes(), PROFILE))
    write_photo(tmp_path / "a.tif", values, photo)
    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II+\0", "BigTIFF"
    found = load(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.values, values)
    assert found.metadata.icc_profile == PROFILE
    assert parsed(found.metadata.exif).get_ifd(0x8769)[0xA436] == "Title"
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.asarray(), values)


def test_more_exif_than_a_jpeg_holds_is_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x927C] = bytes(70000)
    values = noise(20, 30, 3)
    with pytest.raises(ValueError, match="bytes of EXIF do not fit in a JPEG file"):
        write_photo(
            tmp_path / "a.jpg", values, LoadedPhoto(values, metadata=Metadata(exif.tobytes()))
        )
    assert not list(tmp_path.iterdir())


def test_the_thumbnail_in_exif_is_gone(tmp_path: Path) -> None:
    """It would show the photo as it was."""
    thumbnail = io.BytesIO()
    Image.fromarray(noise(16, 16, 3)).save(thumbnail, "JPEG")
    tags = camera_exif(1)
    exif = tags.tobytes()
    assert exif[6:8] == b"MM"
    # A second directory behind the first, as cameras write it.
    (count,) = struct.unpack_from(">H", exif, 14)
    link, end, shown = 16 + 12 * count, len(exif) - 6, thumbnail.getvalue()
    second = [2, 0x201, 4, 1, end + 30, 0x202, 4, 1, len(shown), 0]
    exif = exif[:link] + struct.pack(">I", end) + exif[link + 4 :]
    exif += struct.pack(">HHHIIHHIII", *second) + shown
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / "in.jpg", exif=exif)
    assert thumbnail.getvalue() in (tmp_path / "in.jpg").read_bytes()
    photo = load(tmp_path / "in.jpg")
    write_photo(tmp_path / "out.jpg", photo.values, photo)
    assert thumbnail.getvalue()[2:] not in (tmp_path / "out.jpg").read_bytes()
    assert parsed(load(tmp_path / "out.jpg").metadata.exif)[0x4746] == 4


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_iptc_is_kept(tmp_path: Path, suffix: str) -> None:
    record = b"\x1c\x02\x78\0\x05hello"
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    values = noise(20, 30, 3)
    Image.fromarray(values).save(tmp_path / "in.jpg")
    data, segment = (tmp_path / "in.jpg").read_bytes(), b"Photoshop 3.0\0" + resources
    length = struct.pack(">H", len(segment) + 2)
    (tmp_path / "in.jpg").write_bytes(data[:20] + b"\xff\xed" + length + segment + data[20:])
    photo = load(tmp_path / "in.jpg")
    write_photo(tmp_path / f"out{suffix}", photo.values, photo)
    assert record in (tmp_path / f"out{suffix}").read_bytes()
    assert record in load(tmp_path / f"out{suffix}").metadata.iptc


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_files_are_what_others_read(tmp_path: Path, suffix: str, channels: int) -> None:
    pixels = noise(70, 33, channels, dtype=np.uint16)
    alpha = pixels[..., 3] if channels == 4 else None
    write(tmp_path / f"a{suffix}", pixels[..., :3], alpha)
    found = cv2.imread(str(tmp_path / f"a{suffix}"), cv2.IMREAD_UNCHANGED)
    found = found.reshape(70, 33, -1)[..., [2, 1, 0, 3][:channels] if channels > 1 else [0]]
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("suffix", [*WITH_EXIF, ".avif"])
@pytest.mark.parametrize("source", [*WITH_EXIF, ".avif"])
def test_turned_once_and_told_so(tmp_path: Path, source: str, suffix: str) -> None:
    """From each format to each: upright, orientation 1, sizes in EXIF of the upright picture."""
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[:16, :32] = 220
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    kept = {"xmp": XMP} if source in (".jpg", ".webp") else {}
    exif = camera_exif(6).tobytes()
    stored.save(tmp_path / f"in{source}", exif=exif, icc_profile=PROFILE, **kept)
    photo = load(tmp_path / f"in{source}")
    write_photo(tmp_path / f"out{suffix}", photo.values, photo)
    found = load(tmp_path / f"out{suffix}")
    np.testing.assert_allclose(found.values, upright, atol=25)
    np.testing.assert_allclose(np.array(Image.open(tmp_path / f"out{suffix}")), upright, atol=25)
    tags = parsed(found.metadata.exif)
    assert tags.get(0x0112, 1) == 1  # libheif turns AVIF by itself, and says nothing of it
    assert tags[0x010F] == "Maker"
    assert tags.get_ifd(0x8825)[1] == "N"
    inner = tags.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == (64, 32)
    assert found.metadata.icc_profile == PROFILE
    assert b'tiff:Orientation="6"' not in found.metadata.xmp
    assert bool(found.metadata.xmp) == bool(kept)


def test_tags_of_a_tiffs_layout_stay_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    image = Image.fromarray(noise(20, 30, 3))
    image.save(tmp_path / "in.tif", compression="tiff_lzw", exif=exif.tobytes())
    assert dict(parsed(load(tmp_path / "in.tif").metadata.exif)) == {0x010F: "Maker"}


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_gray_stays_gray(tmp_path: Path, suffix: str) -> None:
    gray = noise(20, 30, 1)
    Image.fromarray(gray[..., 0]).save(tmp_path / f"in{suffix}")
    photo = load(tmp_path / f"in{suffix}")
    np.testing.assert_array_equal(photo.values, gray)
    write_photo(tmp_path / f"out{suffix}", photo.values, photo)
    assert Image.open(tmp_path / f"out{suffix}").mode == "L"


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    colours = np.zeros((20, 30, 3), np.uint8)
    colours[:10, :, 0] = 200
    image = Image.fromarray(colours).quantize(4)
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=bytes([0, 255]))
    for name in ("opaque.png", "clear.png"):
        photo = load(tmp_path / name)
        np.testing.assert_array_equal(photo.values, colours)
        assert (photo.alpha is None) == (name == "opaque.png")
        if photo.alpha is not None:
            assert sorted(np.unique(photo.alpha)) == [0, 255]


def test_cmyk_becomes_srgb_without_its_profile(tmp_path: Path) -> None:
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 200
    cmyk = bytes(pyvips.Image.profile_load("cmyk"))
    Image.fromarray(red).convert("CMYK").save(tmp_path / "in.jpg", icc_profile=cmyk)
    photo = load(tmp_path / "in.jpg")
    assert photo.values.shape == (20, 30, 3) and photo.colour.is_srgb
    assert photo.metadata.icc_profile == b""
    assert open_photo(tmp_path / "in.jpg").notes == ("CMYK became sRGB",)


def test_jpeg_has_full_colour_resolution(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", noise(64, 64, 3))
    with Image.open(tmp_path / "a.jpg") as image:
        assert [part[1:3] for part in image.layer] == [(1, 1)] * 3
        assert image.quantization[0][0] <= 3  # quality 95


def test_formats_of_8_bits_and_without_alpha(tmp_path: Path) -> None:
    deep, opaque = np.full((4, 5, 3), 257 * 99, np.uint16), np.full((4, 5), 65535, np.uint16)
    for suffix in (".jpg", ".bmp"):  # opaque throughout: nothing is lost
        write(tmp_path / f"a{suffix}", deep, opaque)
        np.testing.assert_allclose(read_photo(tmp_path / f"a{suffix}"), 99, atol=1)
    clear = noise(4, 5, dtype=np.uint16)
    with pytest.raises(ValueError, match=r"b\.jpg: JPEG has no alpha; .* such as png"):
        write(tmp_path / "b.jpg", deep, clear)
    assert not (tmp_path / "b.jpg").exists()


def test_avif_keeps_12_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64, 1).repeat(3, 2).astype(np.uint16)
    write(tmp_path / "a.avif", ramp)
    found = load(tmp_path / "a.avif").values
    assert found.dtype == np.uint16
    assert np.abs(found.astype(int) - ramp).mean() < 65535 / 1000


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_round_trip_leaves_nothing_else_behind(tmp_path: Path, dtype: type) -> None:
    write_photo(tmp_path / "photo.png", noise(20, 30, 3, dtype=dtype))
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png"), noise(20, 30, 3, dtype=dtype))
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_format_by_extension_in_any_case(tmp_path: Path) -> None:
    write_photo(tmp_path / "photo.JPG", np.full((20, 30, 3), 90, np.uint8))
    assert Image.open(tmp_path / "photo.JPG").format == "JPEG"
    np.testing.assert_allclose(read_photo(tmp_path / "photo.JPG"), 90, atol=3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".bmp", ".heic"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    write_photo(path, noise(4, 5, 3))
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rave_mm.runtime.whole_files.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_photo(path, noise(6, 7, 3))
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_what_libvips_cannot_write_is_an_os_error(tmp_path: Path) -> None:
    """A JPEG has at most 65,535 pixels a side."""
    with pytest.raises(OSError, match=r"cannot write .*a\.jpg: "):
        write_photo(tmp_path / "a.jpg", np.zeros((1, 70000, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_write_photo_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    photo = noise(20, 30, 3)
    for name in ("photo.gif", "photo.nef", "photo.txt", "photo"):
        with pytest.raises(ValueError, match=r"expected a name in \.jpg, \.png, \.tif"):
            write_photo(tmp_path / name, photo)
    with pytest.raises(ValueError, match=r"got shape \(20, 30\)"):
        write_photo(tmp_path / "photo.png", photo[..., 0])
    with pytest.raises(ValueError, match="got float32, expected uint8 or uint16"):
        write_photo(tmp_path / "photo.png", photo.astype(np.float32))


def test_heic_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install pillow-heif"):
        write_photo(tmp_path / "a.heic", noise(4, 5, 3))
