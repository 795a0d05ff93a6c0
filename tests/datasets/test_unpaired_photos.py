"""Two folders that have nothing to do with each other."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mmagic.registry import DATASETS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from PIL import Image

from rave_mm.datasets.transforms import LoadPhoto
from rave_mm.datasets.unpaired_photos import UnpairedPhotos
from rave_mm.photos.errors import UnreadablePhotoError


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
    with DefaultScope.overwrite_default_scope("mmagic"):
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


@pytest.fixture
def damaged(root):
    """The same folders, with a file that is no photo in each."""
    (Path(root) / "backlit" / "broken.jpg").write_bytes(b"no picture")
    (Path(root) / "div2k" / "empty.png").touch()
    return root


def test_all_unreadable_photos_are_named_at_the_start(damaged):
    with pytest.raises(ValueError, match="2 of 10 photographs cannot be read") as raised:
        UnpairedPhotos(backlit="backlit", well_lit="div2k", data_root=damaged)
    assert re.search(r"backlit/broken.jpg: not a picture.*\n.*div2k/empty.png", str(raised.value))
    assert "on_unreadable='skip'" in str(raised.value)


def test_unreadable_photos_can_be_skipped_and_are_counted(damaged, capsys):
    MMLogger.get_instance("skipped-photos")  # one that writes to where capsys looks
    dataset = UnpairedPhotos(
        backlit="backlit", well_lit="div2k", data_root=damaged, on_unreadable="skip"
    )
    assert "2 of 10 photographs cannot be read and were skipped" in "".join(capsys.readouterr())
    assert len(dataset) == 3
    assert "empty.png" not in draws(dataset, times=100)


def test_skipping_all_photos_is_an_error(root):
    for path in (Path(root) / "div2k").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"(?s)5 of 8 photographs .*1\.png.*in each folder"):
        UnpairedPhotos(backlit="backlit", well_lit="div2k", data_root=root, on_unreadable="skip")


def test_a_cut_photo_with_a_good_header_is_named_before_training(root):
    path = Path(root) / "backlit" / "b.PNG"
    path.write_bytes(path.read_bytes()[:45])  # within the pixels
    with pytest.raises(ValueError, match=r"1 of 3 photographs .*\n.*backlit/b.PNG"):
        UnpairedPhotos(backlit="backlit", data_root=root)


def test_what_is_damaged_inside_is_named_when_it_is_loaded(root):
    path = Path(root) / "backlit" / "b.PNG"
    data = path.read_bytes()
    path.write_bytes(data[:45] + bytes(4) + data[49:])  # within the pixels
    dataset = UnpairedPhotos(backlit="backlit", data_root=root, pipeline=[LoadPhoto(key="img")])
    with pytest.raises(UnreadablePhotoError, match="backlit/b.PNG"):
        dataset[1]


def test_cut_photos_are_named_beside_others_and_skipped_on_request(damaged):
    path = Path(damaged) / "backlit" / "b.PNG"
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(ValueError, match=r"(?s)3 of 10 photographs .*backlit/b.PNG"):
        UnpairedPhotos(backlit="backlit", well_lit="div2k", data_root=damaged)
    dataset = UnpairedPhotos(backlit="backlit", data_root=damaged, on_unreadable="skip")
    assert len(dataset) == 2


def test_an_unknown_choice_for_unreadable_photos_is_refused(root):
    with pytest.raises(ValueError, match="on_unreadable: got 'ignore', expected one of error, ski"):
        UnpairedPhotos(backlit="backlit", data_root=root, on_unreadable="ignore")


def test_a_missing_folder_is_named(root):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere"):
        UnpairedPhotos(backlit="backlit", well_lit="nowhere", data_root=root)
