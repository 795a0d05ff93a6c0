"""Camera RAW, from a file made here: no package ships one."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.reading import open_photo, read_photo


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
