"""JPEG, PNG, TIFF, AVIF and GIF, in every form that libvips reads."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms

from rave_mm.photos.colour import image_of
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.reading import checked_size, open_photo, read_photo
from tests.photos.pictures import chunk, exif, noise, red, turned, write_16_bit_tiff

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_16_bit_files(tmp_path, orientation):
    photo = noise(dtype=np.uint16)
    stored = turned(photo, orientation)
    write_16_bit_tiff(tmp_path / "photo.tif", stored, orientation)
    png = cv2.imencode(".png", stored[..., ::-1])[1].tobytes()
    at = png.index(b"IDAT") - 4
    tags = chunk(b"eXIf", exif(orientation).tobytes()[6:])
    (tmp_path / "photo.png").write_bytes(png[:at] + tags + png[at:])
    for name in ("photo.tif", "photo.png"):
        np.testing.assert_array_equal(read_photo(tmp_path / name), photo)
        assert checked_size(tmp_path / name) == (20, 30)


def test_orientation_written_behind_the_pixels_of_a_png(tmp_path):
    Image.fromarray(turned(noise(), 6)).save(tmp_path / "photo.png")
    png = (tmp_path / "photo.png").read_bytes()
    at = png.index(b"IEND") - 4
    (tmp_path / "photo.png").write_bytes(
        png[:at] + chunk(b"eXIf", exif(6).tobytes()[6:]) + png[at:]
    )
    assert checked_size(tmp_path / "photo.png") == (20, 30)
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png"), noise())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png_keeps_its_precision(tmp_path, channels):
    stored = noise(dtype=np.uint16, channels=channels)
    bgr = stored if channels == 1 else stored[..., [2, 1, 0, 3][:channels]]
    (tmp_path / "deep.png").write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
    photo = read_photo(tmp_path / "deep.png")
    assert photo.dtype == np.uint16
    np.testing.assert_array_equal(photo, np.broadcast_to(stored[..., :3], photo.shape))


def test_16_bit_gray_and_alpha_png(tmp_path):
    stored = noise(dtype=np.uint16, channels=2)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in stored)
    header = struct.pack(">IIBBBBB", 30, 20, 16, 4, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "la.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    photo = read_photo(tmp_path / "la.png")
    np.testing.assert_array_equal(photo, np.broadcast_to(stored[..., :1], photo.shape))


def test_16_bit_gray_tiff_of_either_polarity(tmp_path):
    gray = noise(dtype=np.uint16)[..., 0]
    write_16_bit_tiff(tmp_path / "black.tif", gray, photometric=1)
    write_16_bit_tiff(tmp_path / "white.tif", 65535 - gray, photometric=0)
    for name in ("black.tif", "white.tif"):
        photo = read_photo(tmp_path / name)
        np.testing.assert_array_equal(photo, np.stack([gray] * 3, axis=2))


def test_floating_point_becomes_16_bits(tmp_path):
    ramp = np.linspace(0, 1, 20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    for name, photo in (("rgb.tif", ramp), ("gray.tif", ramp[..., :1])):
        tifffile.imwrite(tmp_path / name, np.squeeze(photo))
        wanted = np.broadcast_to(np.round(photo * 65535), ramp.shape)
        np.testing.assert_array_equal(read_photo(tmp_path / name), wanted)
        assert open_photo(tmp_path / name).notes == ("floating point becomes 16 bits",)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_told(tmp_path, value):
    photo = np.full((20, 30, 3), 0.5, np.float32)
    photo[7, 11, 2] = photo[9, 0, 0] = value
    tifffile.imwrite(tmp_path / "bad.tif", photo)
    told = rf"bad\.tif: {value} at row 7, column 11, channel 2, the first of 2 values"
    with pytest.raises(UnreadablePhotoError, match=told):
        read_photo(tmp_path / "bad.tif")


def test_floating_point_beyond_white_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "hdr.tif", np.full((4, 5, 3), 3.5, np.float32))
    with pytest.raises(UnreadablePhotoError, match="from 3.5 to 3.5; expected 0 to 1"):
        read_photo(tmp_path / "hdr.tif")


def test_kinds_that_would_be_read_wrongly_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "deep.tif", np.ones((4, 5), np.uint32), photometric="minisblack")
    with pytest.raises(UnreadablePhotoError, match=r"deep\.tif: got 1 channels of the type uint;"):
        read_photo(tmp_path / "deep.tif")
    tifffile.imwrite(
        tmp_path / "many.tif", np.ones((4, 5, 7), np.uint8), photometric="rgb", planarconfig=1
    )
    with pytest.raises(UnreadablePhotoError, match=r"many\.tif: got 7 channels"):
        read_photo(tmp_path / "many.tif")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "layout",
    [
        {"planarconfig": "separate"},
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"compression": "zlib", "predictor": True},
        {"rowsperstrip": 3},
    ],
    ids=str,
)
def test_every_layout_of_a_tiff(tmp_path, dtype, layout):
    photo = noise(dtype=dtype)
    stored = photo.transpose(2, 0, 1) if "planarconfig" in layout else photo
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **layout)
    found = read_photo(tmp_path / "a.tif")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, photo)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_every_compression_of_a_tiff(tmp_path, compression):
    photo = red() if compression == "jpeg" else noise()
    Image.fromarray(photo).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_allclose(
        read_photo(tmp_path / "a.tif"), photo, atol=3 if compression == "jpeg" else 0
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_png_of_few_bits(tmp_path, bits):
    levels = noise()[..., 0] >> (8 - bits)
    rows = [np.packbits((row[:, None] >> np.arange(bits)[::-1]) & 1) for row in levels]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", 30, 20, bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    (tmp_path / "few.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    found = read_photo(tmp_path / "few.png")
    np.testing.assert_array_equal(found[..., 0], levels.astype(int) * 255 // (2**bits - 1))


def test_interlaced_and_progressive(tmp_path):
    image_of(noise()).pngsave(str(tmp_path / "a.png"), interlace=True)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), noise())
    Image.fromarray(noise()).save(tmp_path / "a.jpg", progressive=True, quality=100)
    np.testing.assert_array_equal(
        read_photo(tmp_path / "a.jpg"), np.array(Image.open(tmp_path / "a.jpg"))
    )


def test_ycck_is_the_same_picture_as_cmyk(tmp_path):
    """As Photoshop writes it: CMY as YCbCr, K beside it, all inverted."""
    y, x = np.mgrid[0:1:40j, 0:1:60j]
    inks = (np.stack([x, y, 1 - x, x * y * 0.5], 2) * 200).astype(np.uint8)
    Image.frombytes("CMYK", (60, 40), inks.tobytes()).save(tmp_path / "cmyk.jpg", quality=100)
    ycc = np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    planes = np.concatenate([ycc, 255 - inks[..., 3:]], 2)
    stored = Image.frombytes("CMYK", (60, 40), (255 - planes).tobytes())  # Pillow inverts it again
    stored.save(tmp_path / "ycck.jpg", quality=100, subsampling=0)
    data = bytearray((tmp_path / "ycck.jpg").read_bytes())
    data[data.index(b"Adobe") + 11] = 2  # YCCK
    (tmp_path / "ycck.jpg").write_bytes(data)
    found, wanted = (read_photo(tmp_path / f"{name}.jpg").astype(int) for name in ("ycck", "cmyk"))
    assert np.ptp(wanted) > 150
    assert np.abs(found - wanted).mean() < 2 and np.abs(found - wanted).max() < 20


def test_avif_and_gif(tmp_path):
    Image.fromarray(red()).save(tmp_path / "a.avif", quality=95)
    np.testing.assert_allclose(read_photo(tmp_path / "a.avif"), red(), atol=4)
    Image.fromarray(red()).save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.gif"), red())


def test_a_second_picture_in_a_jpeg_is_told(tmp_path):
    images = [Image.fromarray(red()), Image.fromarray(red())]
    images[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=images[1:])
    assert "second picture" in open_photo(tmp_path / "a.jpg").notes[0]
    np.testing.assert_allclose(read_photo(tmp_path / "a.jpg"), red(), atol=2)


@pytest.mark.parametrize("name", ["photo[1].jpg", "a,b c.png", "caf\udce9.jpg", "\u00fc.tif"])
def test_names_that_libvips_would_take_apart(tmp_path, name):
    buffer = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], "PNG")
    Image.fromarray(red()).save(buffer, kind)
    (tmp_path / name).write_bytes(buffer.getvalue())
    np.testing.assert_allclose(read_photo(tmp_path / name), red(), atol=2)
    assert checked_size(tmp_path / name) == (20, 30)


def test_large_jpegs_are_decoded_no_larger_than_needed(tmp_path):
    y, x = np.mgrid[0:1:400j, 0:1:640j]
    smooth = np.stack([x, y, x * y], 2)
    Image.fromarray((smooth * 255).astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    whole = read_photo(tmp_path / "a.jpg")
    for at_least, size in ((401, (400, 640)), (200, (200, 320)), (99, (100, 160)), (50, (50, 80))):
        found = read_photo(tmp_path / "a.jpg", at_least)
        assert found.shape[:2] == size
        resized = np.array(Image.fromarray(whole).resize(size[::-1], Image.Resampling.BOX))
        assert np.abs(found.astype(int) - resized).max() <= 4
    Image.fromarray(whole).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png", 50).shape == (400, 640, 3), "others are read whole"


def test_profiles_and_xmp_of_several_megabytes(tmp_path):
    """libpng's and Pillow's own limits are for bombs, not for these."""
    buffer = io.BytesIO()
    Image.fromarray(noise()).save(buffer, "PNG")
    png, xmp = buffer.getvalue(), b"<x>" + b"a" * 3_000_000 + b"</x>"
    profile = PROFILE + bytes(3_000_000)
    added = chunk(b"iCCP", b"large\0\0" + zlib.compress(profile))
    added += chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp))
    (tmp_path / "large.png").write_bytes(png[:33] + added + png[33:])
    loaded = open_photo(tmp_path / "large.png").load()
    np.testing.assert_array_equal(loaded.values, noise())
    assert loaded.metadata.xmp == xmp


def test_exif_that_was_written_as_text(tmp_path):
    """As ImageMagick wrote it into PNG files for years."""
    buffer = io.BytesIO()
    Image.fromarray(turned(noise(), 6)).save(buffer, "PNG")
    data, tags = buffer.getvalue(), exif(6).tobytes()
    text = b"\nexif\n%8d\n%s\n" % (len(tags), tags.hex().encode())
    profile = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    (tmp_path / "a.png").write_bytes(data[:33] + profile + data[33:])
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), noise())


def test_nothing_is_decoded_before_rows_are_asked_for(tmp_path):
    image_of(noise(400, 300)).pngsave(str(tmp_path / "cut.png"))
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    stream = open_photo(tmp_path / "cut.png").stream(1)
    top = pyvips.Region.new(stream).fetch(0, 0, 300, 8)
    np.testing.assert_array_equal(
        np.frombuffer(top, np.uint8).reshape(8, 300, 3), noise(400, 300)[:8]
    )
    with pytest.raises(pyvips.Error):
        pyvips.Region.new(stream).fetch(0, 300, 300, 8)
