"""Every kind of file that photographers bring is read as what it shows, or refused by name."""

import io
import multiprocessing
import pickle
import re
import struct
import zlib

import cv2
import numpy as np
import pillow_heif
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms, ImageFile

from rave_mm.photos import formats
from rave_mm.photos.colour import image_of
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.reading import open_photo, photo_size, read_photo

QUALITY = {".jpg": {"quality": 100, "subsampling": 0}}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


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
def test_cmyk_without_a_profile_is_taken_for_offset_print(tmp_path, suffix):
    """White is paper, black is ink, and red is red, if not that of a screen."""
    photo = np.full((24, 48, 3), 255, np.uint8)
    photo[:, 16:32], photo[:, 32:] = 0, (255, 0, 0)
    Image.fromarray(photo).convert("CMYK").save(tmp_path / f"cmyk{suffix}")
    found = read_photo(tmp_path / f"cmyk{suffix}")[12, [4, 24, 44]].astype(int)
    assert found[0].min() > 250
    assert found[1].max() < 60
    assert found[2, 0] > 200 and found[2, 1:].max() < 60


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


def test_avif_and_gif(tmp_path):
    Image.fromarray(red()).save(tmp_path / "a.avif", quality=95)
    np.testing.assert_allclose(read_photo(tmp_path / "a.avif"), red(), atol=4)
    Image.fromarray(red()).save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.gif"), red())


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "pages.tif", "moving.avif"])
def test_the_first_of_several_frames_is_read_and_the_others_are_told(tmp_path, name):
    frames = [Image.fromarray(np.roll(red(), turn, 2)) for turn in range(3)]
    options = {"lossless": True} if name.endswith("webp") else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    photo = open_photo(tmp_path / name)
    several = {"pages.tif": "3 pages", "moving.avif": "several frames"}.get(name, "3 frames")
    assert photo.notes == (f"has {several}, of which the first is kept",)
    np.testing.assert_allclose(photo.pixels()[0], red(), atol=5 if "avif" in name else 0)


def test_a_second_picture_in_a_jpeg_is_told(tmp_path):
    images = [Image.fromarray(red()), Image.fromarray(red())]
    images[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=images[1:])
    assert "second picture" in open_photo(tmp_path / "a.jpg").notes[0]
    np.testing.assert_allclose(read_photo(tmp_path / "a.jpg"), red(), atol=2)


def test_the_content_counts_and_not_the_name(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.jpg", "PNG")
    assert open_photo(tmp_path / "a.jpg").format.name == "PNG"
    np.testing.assert_array_equal(read_photo(tmp_path / "a.jpg"), noise())


@pytest.mark.parametrize("name", ["photo[1].jpg", "a,b c.png", "caf\udce9.jpg", "\u00fc.tif"])
def test_names_that_libvips_would_take_apart(tmp_path, name):
    buffer = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], "PNG")
    Image.fromarray(red()).save(buffer, kind)
    (tmp_path / name).write_bytes(buffer.getvalue())
    np.testing.assert_allclose(read_photo(tmp_path / name), red(), atol=2)
    assert photo_size(tmp_path / name) == (20, 30)


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


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    told = "60000 x 60000 pixels are 3600 megapixels, more than the 500 .*--max-megapixels"
    for read in (read_photo, photo_size, open_photo):
        with pytest.raises(UnreadablePhotoError, match=told):
            read(tmp_path / "bomb.png")
    assert open_photo(tmp_path / "bomb.png", max_pixels=4 * 10**9).size == (60000, 60000)
    Image.new("L", (300, 200)).save(tmp_path / "small.webp")
    with pytest.raises(UnreadablePhotoError, match="300 x 200 pixels"):
        open_photo(tmp_path / "small.webp", max_pixels=59999)


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


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".gif", ".bmp"])
def test_a_forked_process_reads_after_libvips_has_used_threads(tmp_path, suffix):
    """As data loaders do: a thread of libvips that is not there would be waited for for ever."""
    image_of(noise(300, 300)).jpegsave_buffer()  # starts threads
    path = tmp_path / f"a{suffix}"
    Image.fromarray(red(300, 300)).save(path)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply_async(read_photo, (path,)).get(timeout=30)
    np.testing.assert_allclose(found, red(300, 300), atol=5)


def test_heic(tmp_path):
    pillow_heif.register_heif_opener()
    Image.fromarray(red()).save(tmp_path / "a.heic", quality=95, exif=exif(1))
    np.testing.assert_allclose(read_photo(tmp_path / "a.heic"), red(), atol=6)
    assert open_photo(tmp_path / "a.heic").notes == ()
    deep = pillow_heif.from_bytes("RGB;16", (30, 20), np.full((20, 30, 3), 30000, "<u2").tobytes())
    deep.save(tmp_path / "deep.heic", quality=95)
    assert open_photo(tmp_path / "deep.heic").notes == ("10 bits per channel become 8",)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_through_its_profile(tmp_path, suffix):
    y, x = np.mgrid[0:1:40j, 0:1:60j]
    inks = (np.stack([x, y, 1 - x, x * y * 0.5], 2) * 255).astype(np.uint8)
    profile = bytes(pyvips.Image.profile_load("cmyk"))
    image = Image.frombytes("CMYK", (60, 40), inks.tobytes())
    image.save(tmp_path / f"a{suffix}", icc_profile=profile, **QUALITY.get(suffix, {}))
    ends = (ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"))
    with Image.open(tmp_path / f"a{suffix}") as stored:
        wanted = ImageCms.profileToProfile(stored, *ends, renderingIntent=1, outputMode="RGB")
    found = read_photo(tmp_path / f"a{suffix}")
    within = (np.asarray(wanted).min(2) > 25) & (np.asarray(wanted).max(2) < 253)
    assert within.mean() > 0.2
    # Pillow converts by a coarser table of colours.
    difference = np.abs(found.astype(int) - np.asarray(wanted))[within]
    assert difference.mean() < 0.5 and difference.max() <= 8
    assert open_photo(tmp_path / f"a{suffix}").notes == ("CMYK became sRGB",)


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


def test_heic_and_raw_need_their_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    assert not {".heic", ".dng"} & set(formats.photo_extensions())
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UnreadablePhotoError, match="pip install pillow-heif"):
        read_photo(tmp_path / "a.heic")
    (tmp_path / "a.dng").write_bytes(b"II*\0")
    with pytest.raises(UnreadablePhotoError, match="pip install rawpy"):
        read_photo(tmp_path / "a.dng")


def write_dng(path, mosaic):
    """The smallest DNG file that LibRaw develops: a mosaic of red, green, green and blue."""
    matrix = [3.2405, -1.5371, -0.4985, -0.9693, 1.8760, 0.0416, 0.0556, -0.2040, 1.0572]
    rational = [number for value in matrix for number in (round(value * 10**4), 10**4)]
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),  # DNG version
        (50708, "s", 0, "Made Up", True),  # camera
        (271, "s", 0, "Made", True),
        (272, "s", 0, "Up", True),
        (33421, "H", 2, (2, 2), True),  # the mosaic repeats every 2x2
        (33422, "B", 4, (0, 1, 1, 2), True),  # as RGGB
        (50714, "H", 1, 0, True),  # black
        (50717, "H", 1, 65535, True),  # white
        (50721, "2i", 9, rational, True),  # from XYZ to the camera's colours
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # white balance
        (50778, "H", 1, 21, True),  # daylight
    ]
    tifffile.imwrite(path, mosaic, photometric=32803, extratags=tags, metadata=None)


def test_camera_raw(tmp_path):
    mosaic = np.full((64, 96), 8000, np.uint16)
    mosaic[:, 48:] = 24000
    write_dng(tmp_path / "a.dng", mosaic)
    photo = open_photo(tmp_path / "a.dng")
    assert photo.size == (64, 96)
    loaded = photo.load()
    assert loaded.values.dtype == np.uint16 and loaded.values.shape == (64, 96, 3)
    dark, bright = loaded.values[32, 20].astype(float), loaded.values[32, 76].astype(float)
    assert bright.min() > 1.3 * dark.max(), "as bright as it was exposed"
    np.testing.assert_allclose(dark / dark.mean(), 1, atol=0.05, err_msg="gray stays gray")
    tags = Image.Exif()
    tags.load(loaded.metadata.exif)
    assert tags[0x010F] == "Made"
    (tmp_path / "cut.dng").write_bytes((tmp_path / "a.dng").read_bytes()[:200])
    with pytest.raises(UnreadablePhotoError, match=r"cut\.dng"):
        read_photo(tmp_path / "cut.dng")


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
    with pytest.raises(UnreadablePhotoError, match="cut short"):
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
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UnreadablePhotoError, match="the file is empty"):
        read_photo(tmp_path / "empty.jpg")


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(UnreadablePhotoError("a.jpg", "it is cut")))
    assert str(error) == "cannot read photograph a.jpg: it is cut"
    assert error.reason == "it is cut"
