"""Every kind of file that photographers bring is read as what it shows, or refused by name."""

import io
import multiprocessing
import pickle
import re
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms, ImageFile

from rave_mm.photos import formats
from rave_mm.photos.colour import image_of
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.reading import checked_size, open_photo, read_photo
from tests.photos.pictures import chunk, exif, noise, red, turned

QUALITY = {".jpg": {"quality": 100, "subsampling": 0}}


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
    assert checked_size(path) == (16, 32)


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "pages.tif", "moving.avif"])
def test_the_first_of_several_frames_is_read_and_the_others_are_told(tmp_path, name):
    frames = [Image.fromarray(np.roll(red(), turn, 2)) for turn in range(3)]
    options = {"lossless": True} if name.endswith("webp") else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    photo = open_photo(tmp_path / name)
    several = {"pages.tif": "3 pages", "moving.avif": "several frames"}.get(name, "3 frames")
    assert photo.notes == (f"has {several}, of which the first is kept",)
    np.testing.assert_allclose(photo.pixels()[0], red(), atol=5 if "avif" in name else 0)


def test_the_content_counts_and_not_the_name(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.jpg", "PNG")
    assert open_photo(tmp_path / "a.jpg").format.name == "PNG"
    np.testing.assert_array_equal(read_photo(tmp_path / "a.jpg"), noise())


def test_cmyk_with_a_damaged_profile(tmp_path):
    image = Image.fromarray(np.full((24, 48, 3), 255, np.uint8)).convert("CMYK")
    image.save(tmp_path / "a.jpg", icc_profile=b"no profile")
    assert read_photo(tmp_path / "a.jpg").min() > 250
    notes = open_photo(tmp_path / "a.jpg").notes
    assert notes[0] == "CMYK became sRGB"
    assert notes[1].endswith("its values are taken for those of offset printing")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    told = "60000 x 60000 pixels are 3600 megapixels, more than the 500 .*--max-megapixels"
    for read in (read_photo, checked_size, open_photo):
        with pytest.raises(UnreadablePhotoError, match=told):
            read(tmp_path / "bomb.png")
    assert open_photo(tmp_path / "bomb.png", max_pixels=4 * 10**9).size == (60000, 60000)
    Image.new("L", (300, 200)).save(tmp_path / "small.webp")
    with pytest.raises(UnreadablePhotoError, match="300 x 200 pixels"):
        open_photo(tmp_path / "small.webp", max_pixels=59999)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".gif", ".bmp"])
def test_a_forked_process_reads_after_libvips_has_used_threads(tmp_path, suffix):
    """As data loaders do: a thread of libvips that is not there would be waited for for ever."""
    image_of(noise(300, 300)).jpegsave_buffer()  # starts threads
    path = tmp_path / f"a{suffix}"
    Image.fromarray(red(300, 300)).save(path)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply_async(read_photo, (path,)).get(timeout=30)
    np.testing.assert_allclose(found, red(300, 300), atol=5)


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


def test_heic_and_raw_need_their_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    assert not {".heic", ".dng"} & set(formats.photo_extensions())
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UnreadablePhotoError, match="pip install pillow-heif"):
        read_photo(tmp_path / "a.heic")
    (tmp_path / "a.dng").write_bytes(b"II*\0")
    with pytest.raises(UnreadablePhotoError, match="pip install rawpy"):
        read_photo(tmp_path / "a.dng")


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
        for read in (read_photo, checked_size):
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


def test_warnings_of_libvips_do_not_reach_python(tmp_path):
    """Called from within libvips, Python may collect images there, which crashes."""
    assert pyvips._log_handler_id is None
    Image.fromarray(red()).save(tmp_path / "a.jpg")
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    data[20:20] = bytes(3)  # behind JFIF: libjpeg warns of extraneous bytes, and reads on
    (tmp_path / "a.jpg").write_bytes(data)
    code = "import sys; from rave_mm.photos.reading import read_photo; read_photo(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "a.jpg")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
