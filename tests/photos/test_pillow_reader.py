"""HEIC, which pillow-heif reads; WebP and BMP are read as the others, in test_reading."""

import numpy as np
import pillow_heif
from PIL import Image

from rave_mm.photos.reading import open_photo, read_photo
from tests.photos.pictures import exif, red


def test_heic(tmp_path):
    pillow_heif.register_heif_opener()
    Image.fromarray(red()).save(tmp_path / "a.heic", quality=95, exif=exif(1))
    np.testing.assert_allclose(read_photo(tmp_path / "a.heic"), red(), atol=6)
    assert open_photo(tmp_path / "a.heic").notes == ()
    deep = pillow_heif.from_bytes("RGB;16", (30, 20), np.full((20, 30, 3), 30000, "<u2").tobytes())
    deep.save(tmp_path / "deep.heic", quality=95)
    assert open_photo(tmp_path / "deep.heic").notes == ("10 bits per channel become 8",)
