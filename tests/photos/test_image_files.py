"""Every kind of file that photographers bring is read as what it shows, or refused by name."""

import io
import pickle
import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from rave_mm.photos.image_files import UnreadablePhotoError, photo_size, read_photo, write_photo


def noise(height=20, width=30, dtype=np.uint8, channels=3):
    top = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    return rng.integers(0, top, (height, width, channels), dtype=dtype, endpoint=True)


def red(height=20, width=30):
    photo = np.zeros((height, width, 3), np.uint8)
    photo[..., 0] = 200
    return photo


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def turned(photo, orientation):
    """The stored pixels of a photo that a camera marks with this EXIF orientation."""
    stored = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.swapaxes(0, 1),
        6: np.rot90(photo),  # to be turned clockwise when shown
        7: photo[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(photo, -1),
    }[orientation]
    return np.ascontiguousarray(stored)


def write_16_bit_tiff(path, photo, orientation=1, photometric=2):
    """A minimal little-endian TIFF, to depend on no writer."""
    height, width = photo.shape[:2]
    channels = photo.shape[2] if photo.ndim == 3 else 1
    pixels = photo.astype("<u2").tobytes()
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, channels, 16 if channels == 1 else 8 + len(pixels)),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (274, 3, 1, orientation),
        (277, 3, 1, channels),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    bits = struct.pack("<3H", 16, 16, 16)
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(pixels) + len(bits))
    path.write_bytes(head + pixels + bits + directory + bytes(4))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp"])
def test_8_bit_rgb_is_read_exactly(tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(noise()).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    photo = read_photo(path)
    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, noise())


def test_jpeg_keeps_its_colours(tmp_path):
    Image.fromarray(red()).save(tmp_path / "red.jpg")
    np.testing.assert_allclose(read_photo(tmp_path / "red.jpg"), red(), atol=2)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_gray_and_1_bit_become_three_equal_channels(tmp_path, mode):
    image = Image.fromarray(noise()[..., 0]).convert(mode)
    image.save(tmp_path / "gray.png")
    photo = read_photo(tmp_path / "gray.png")
    expected = np.array(image.convert("L"))
    for channel in range(3):
        np.testing.assert_array_equal(photo[..., channel], expected)


def test_alpha_is_dropped_not_blended(tmp_path):
    Image.fromarray(noise(channels=4), "RGBA").save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "rgba.png"), noise(channels=4)[..., :3])
    gray_alpha = noise(channels=2)
    Image.fromarray(gray_alpha, "LA").save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "la.png")[..., 2], gray_alpha[..., 0])


@pytest.mark.filterwarnings("error")
def test_palette_with_transparency(tmp_path):
    image = Image.fromarray(red()).quantize(4)
    image.save(tmp_path / "palette.png", transparency=bytes([0, 0, 0, 0]))
    np.testing.assert_array_equal(read_photo(tmp_path / "palette.png"), red())


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk(tmp_path, suffix):
    Image.fromarray(red()).convert("CMYK").save(tmp_path / f"cmyk{suffix}")
    np.testing.assert_allclose(read_photo(tmp_path / f"cmyk{suffix}"), red(), atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    photo = np.zeros((16, 32, 3), np.uint8)
    photo[:8, :16] = 220  # one bright quarter, so that each orientation differs
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(turned(photo, orientation)).save(path, exif=exif(orientation))
    np.testing.assert_allclose(read_photo(path), photo, atol=12)
    assert photo_size(path) == (16, 32)


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
        assert photo_size(tmp_path / name) == (20, 30)


def test_orientation_written_behind_the_pixels_of_a_png(tmp_path):
    Image.fromarray(turned(noise(), 6)).save(tmp_path / "photo.png")
    png = (tmp_path / "photo.png").read_bytes()
    at = png.index(b"IEND") - 4
    (tmp_path / "photo.png").write_bytes(
        png[:at] + chunk(b"eXIf", exif(6).tobytes()[6:]) + png[at:]
    )
    assert photo_size(tmp_path / "photo.png") == (20, 30)
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


def test_kinds_that_would_be_read_wrongly_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UnreadablePhotoError, match=r"float\.tif: .*mode 'F'; expected 8 or 16"):
        read_photo(tmp_path / "float.tif")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.6, 0.95])
def test_a_cut_file_is_refused_by_name(tmp_path, suffix, keep, monkeypatch):
    # Some libraries switch this on for the whole process.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(noise(100, 150)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(UnreadablePhotoError, match=re.escape(str(path))) as caught:
        read_photo(path)
    assert caught.value.path == path
    assert caught.value.reason
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_cut_16_bit_file_is_refused(tmp_path):
    data = cv2.imencode(".png", noise(100, 150, np.uint16))[1].tobytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadablePhotoError, match="truncated"):
        read_photo(tmp_path / "cut.png")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_damaged_bytes_never_raise_anything_else(tmp_path, suffix):
    buffer = io.BytesIO()
    Image.fromarray(noise()).save(
        buffer, {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:]), exif=exif(6)
    )
    rng = np.random.default_rng(1)
    path = tmp_path / f"damaged{suffix}"
    for _ in range(150):
        data = bytearray(buffer.getvalue())
        for at in rng.integers(0, min(len(data), 400), 4):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        for read in (read_photo, photo_size):
            try:
                read(path)
            except UnreadablePhotoError as error:
                assert str(path) in str(error)


def test_missing_file_and_other_files(tmp_path):
    with pytest.raises(UnreadablePhotoError, match="no such file"):
        read_photo(tmp_path / "none.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(UnreadablePhotoError, match="not a picture"):
        read_photo(tmp_path / "text.jpg")


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(UnreadablePhotoError("a.jpg", "it is cut")))
    assert str(error) == "cannot read photograph a.jpg: it is cut"
    assert error.reason == "it is cut"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_round_trip_leaves_nothing_else_behind(tmp_path, dtype):
    write_photo(tmp_path / "photo.png", noise(dtype=dtype))
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png"), noise(dtype=dtype))
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_jpeg_by_extension(tmp_path):
    write_photo(tmp_path / "photo.JPG", red())
    assert Image.open(tmp_path / "photo.JPG").format == "JPEG"
    np.testing.assert_allclose(read_photo(tmp_path / "photo.JPG"), red(), atol=3)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_photo(tmp_path / "photo.png", red())

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("rave_mm.photos.image_files.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_photo(tmp_path / "photo.png", noise())
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png"), red())
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_write_photo_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(ValueError, match=r"expected a name in \.png"):
        write_photo(tmp_path / "photo.gif", red())
    with pytest.raises(ValueError, match=r"got shape \(20, 30\)"):
        write_photo(tmp_path / "photo.png", red()[..., 0])
    with pytest.raises(ValueError, match="got uint16 values, expected uint8"):
        write_photo(tmp_path / "photo.jpg", noise(dtype=np.uint16))
    with pytest.raises(ValueError, match="got float32 values"):
        write_photo(tmp_path / "photo.png", red().astype(np.float32))
