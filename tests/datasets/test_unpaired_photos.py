"""Two folders that have nothing to do with each other."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mmagic.registry import DATASETS
from PIL import Image

from rave_mm.datasets.unpaired_photos import UnpairedPhotos


@pytest.fixture
def root(tmp_path):
    """Three backlit and five well-lit photos; the names say the opposite of what they are."""
    for folder, names in (
        ("backlit", ["a.jpg", "b.PNG", "well-lit.png"]),
        ("div2k", ["1.png", "2.jpg", "3.bmp", "4.png", "backlit.png"]),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            Image.new("RGB", (6, 4)).save(tmp_path / folder / name)
    return str(tmp_path)


def draws(dataset, times=1):
    return [Path(dataset[i]["ref_path"]).name for _ in range(times) for i in range(len(dataset))]


def test_its_length_is_the_number_of_backlit_photos(root):
    dataset = DATASETS.build(
        {"type": "UnpairedPhotos", "backlit": "backlit", "well_lit": "div2k", "data_root": root}
    )
    assert [Path(dataset[i]["img_path"]).name for i in range(len(dataset))] == [
        "a.jpg", "b.PNG", "well-lit.png"
    ]  # fmt: skip
    assert all(Path(dataset[i]["img_path"]).parent.name == "backlit" for i in range(3))
    assert all(Path(dataset[i]["ref_path"]).parent.name == "div2k" for i in range(3))
    assert dataset.metainfo["dataset_type"] == "unpaired_photos"


def test_without_well_lit_photos(root):
    item = UnpairedPhotos(backlit="backlit", data_root=root)[0]
    assert set(item) == {"img_path", "sample_idx"}


def test_training_draws_each_well_lit_photo_anew_and_by_the_seed(root):
    dataset = UnpairedPhotos(backlit="backlit", well_lit="div2k", data_root=root)
    np.random.seed(0)
    first = draws(dataset, times=200)
    np.random.seed(0)
    assert draws(dataset, times=200) == first
    assert draws(dataset, times=200) != first
    counts = Counter(first)
    assert len(counts) == 5
    assert max(counts.values()) < 170  # 120 expected of each


def test_testing_takes_them_in_turn(root):
    dataset = UnpairedPhotos(backlit="div2k", well_lit="backlit", data_root=root, test_mode=True)
    assert draws(dataset) == ["a.jpg", "b.PNG", "well-lit.png", "a.jpg", "b.PNG"]
    assert draws(dataset) == draws(dataset)
    assert dataset[-1]["ref_path"] == dataset[4]["ref_path"]


def test_a_subset_still_draws_from_all_well_lit_photos(root):
    dataset = UnpairedPhotos(backlit="backlit", well_lit="div2k", data_root=root, indices=1)
    assert len(dataset) == 1
    assert len(set(draws(dataset, times=100))) == 5


def test_lazy_initialisation(root):
    dataset = UnpairedPhotos(backlit="backlit", well_lit="div2k", data_root=root, lazy_init=True)
    assert dataset.well_lit_photos == []
    assert dataset.get_data_info(0)["ref_path"]


def test_a_missing_folder_is_named(root):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere"):
        UnpairedPhotos(backlit="backlit", well_lit="nowhere", data_root=root)
