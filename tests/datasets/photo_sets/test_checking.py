"""What training would use of two folders, and what it would stop at."""

from pathlib import Path

import numpy as np
import pytest

from rave_mm.datasets.photo_sets import PreparationError
from rave_mm.datasets.photo_sets.checking import check_folders
from rave_mm.photos.errors import PhotoFolderError
from rave_mm.photos.writing import write_photo


@pytest.fixture
def folders(tmp_path):
    """Two paired photos and a numbered duplicate."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    for folder, names in (("low", ("1", "2", "2(2)")), ("high", ("1", "2"))):
        (tmp_path / folder).mkdir()
        for name in names:
            write_photo(tmp_path / folder / f"{name}.png", noise)
    return [tmp_path / "low", tmp_path / "high"]


def test_check_counts_what_training_would_use(folders):
    told = check_folders(*folders)
    assert told.startswith("pairs: 2\nduplicates left out: 1\n  ") and "2(2).png" in told
    assert f"{folders[0]}: 2 photographs, 6 to 8 pixels a side, 0 of 16 bits" in told
    assert f"{folders[0]}: 3 photographs" in check_folders(*folders, unpaired=True)


def test_check_names_what_training_would_stop_at(folders):
    whole = (folders[1] / "2.png").read_bytes()
    (folders[1] / "2.png").write_bytes(whole[:100] + bytes(4) + whole[104:])  # within the pixels
    with pytest.raises(PreparationError, match=r"1 photographs cannot be read:\n  .*2\.png: "):
        check_folders(*folders)
    (folders[1] / "2.png").write_bytes(whole[:-60])
    with pytest.raises(PhotoFolderError, match=r"1 cannot be read:\n  .*2\.png: .*cut short"):
        check_folders(*folders)
    (folders[1] / "1.png").unlink()
    with pytest.raises(ValueError, match="1 have no partner"):
        check_folders(*folders)
    with pytest.raises(FileNotFoundError, match="no such folder: nowhere"):
        check_folders(folders[0], Path("nowhere"))
