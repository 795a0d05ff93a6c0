"""HEIC, which pillow-heif reads; WebP and BMP are read as the others, in test_reading."""

import numpy as np
import pillow_heif
from PIL import Image

from rave_mm.photos.reading import open_photo, read_photo
from tests.photos.pictures import exif, noise, red


def test_heic(tmp_path):
    pillow_heif.register_heif_opener()
    Image.fromarray(red()).save(tmp_path / "a.heic", quality=95, exif=exif(1))
    np.testing.assert_allclose(read_photo(tmp_path / "a.heic"), red(), atol=6)
    assert open_photo(tmp_path / "a.heic").notes == ()
    deep = pillow_heif.from_bytes("RGB;16", (30, 20), np.full((20, 30, 3), 30000, "<u2").tobytes())
    deep.save(tmp_path / "deep.heic", quality=95)
    assert open_photo(tmp_path / "deep.heic").notes == ("10 bits per channel become 8",)


def test_a_second_picture_in_a_heic_is_told(tmp_path):
    pillow_heif.register_heif_opener()
    path = tmp_path / "a.heic"
    Image.fromarray(noise(64, 96, channels=4)).save(path)
    assert open_photo(path).notes == ()  # alpha is none
    alpha, content = b"urn:mpeg:hevc:2015:auxid:1", path.read_bytes()
    gain_map = b"urn:com:apple:gainmap"
    assert alpha in content
    path.write_bytes(content.replace(alpha, gain_map.ljust(len(alpha), b"\0")))
    assert open_photo(path).notes == (
        "has a second picture, such as a gain map, which is not kept",
    )
