"""Files that lack their end are found without being decoded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rave_mm.photos.cut_short import seems_cut_short
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.formats import format_of_file
from rave_mm.photos.reading import checked_size

NAMES = ("photo.jpg", "photo.png", "photo.webp")


def write(path: Path, side: int = 200) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", (0.3, 0.6, 0.97))
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, name: str, part: float) -> None:
    path = tmp_path / name
    data = write(path)
    assert checked_size(path) == (200, 200)
    path.write_bytes(data[: int(part * len(data))])
    assert seems_cut_short(path, format_of_file(path))
    with pytest.raises(UnreadablePhotoError):
        checked_size(path)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_appended_to_a_whole_file_does_no_harm(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(write(path) + b"a film of a second" * 10_000)
    assert checked_size(path) == (200, 200)


def test_the_end_of_a_thumbnail_is_not_the_photos(tmp_path: Path) -> None:
    thumbnail = write(tmp_path / "small.jpg", 16)
    path = tmp_path / "photo.jpg"
    data = write(path, 60)
    exif = b"\xff\xe1" + (len(thumbnail) + 8).to_bytes(2, "big") + b"Exif\0\0" + thumbnail
    path.write_bytes((data[:2] + exif + data[2:])[:-900])  # all within the last 64 KiB
    assert seems_cut_short(path, format_of_file(path))
