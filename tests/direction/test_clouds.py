from pathlib import Path

import numpy as np
import pytest

from rave_mm.direction.clouds import choose_photos
from rave_mm.photos.writing import write_photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcdefgh":
        write_photo(tmp_path / "photos" / f"{name}.png", np.full((4, 4, 3), 90, np.uint8))
    return tmp_path / "photos"


def names(paths: list[Path]) -> str:
    return "".join(path.stem for path in paths)


def test_a_pattern_chooses_by_name(folder: Path) -> None:
    assert names(choose_photos(folder)) == "abcdefgh"
    assert names(choose_photos(f"{folder}/[a-c]*")) == "abc"
    with pytest.raises(FileNotFoundError, match=r"no photo in .*photos has a name like z\*"):
        choose_photos(folder / "z*")


def test_a_folder_may_have_the_signs_of_a_pattern(folder: Path) -> None:
    folder = folder.rename(folder.with_name("photos [2024]"))
    assert names(choose_photos(folder)) == "abcdefgh"


def test_a_draw_depends_on_the_seed_and_keeps_pairs(folder: Path) -> None:
    (folder.parent / "others").mkdir()
    for path in folder.iterdir():
        (folder.parent / "others" / path.name).write_bytes(path.read_bytes())
    drawn = [names(choose_photos(folder, 4, seed)) for seed in range(5)]
    assert all(len(set(letters)) == 4 for letters in drawn) and len(set(drawn)) > 1
    assert names(choose_photos(folder.parent / "others", 4, 2)) == drawn[2]


@pytest.mark.parametrize("count", [0, 9])
def test_a_draw_of_more_than_there_are(folder: Path, count: int) -> None:
    with pytest.raises(ValueError, match=f"photos: got {count}, expected 1 to 8"):
        choose_photos(folder, count)
