"""BAID's layout, paired by stem."""

from pathlib import Path

import pytest
from mmagic.registry import DATASETS
from mmengine.logging import MMLogger
from PIL import Image

from rave_mm.datasets.backlit_pairs import BacklitPairs


@pytest.fixture
def root(tmp_path):
    """A BAID-shaped test set with one duplicate on the backlit side."""
    for folder, names in (
        ("resize_input", ["0151.jpg", "0152.jpg", "0152(2).jpg"]),
        ("resize_gt", ["0151.png", "0152.jpg"]),
    ):
        (tmp_path / "test" / folder).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (6, 4)).save(tmp_path / "test" / folder / name)
    return str(tmp_path)


def test_pairs_and_what_is_left_out(root):
    logger = MMLogger.get_instance("pairs", log_file=f"{root}/log.txt")
    dataset = DATASETS.build(
        {
            "type": "BacklitPairs",
            "backlit": "test/resize_input",
            "well_lit": "test/resize_gt",
            "data_root": root,
        }
    )
    names = [[Path(dataset[i][key]).name for key in ("img_path", "gt_path")] for i in range(2)]
    assert len(dataset) == 2
    assert names == [["0151.jpg", "0151.png"], ["0152.jpg", "0152.jpg"]]
    assert Path(dataset[0]["gt_path"]).parent.name == "resize_gt"
    assert [Path(path).name for path in dataset.left_out] == ["0152(2).jpg"]
    for handler in logger.handlers:
        handler.flush()
    log = Path(root, "log.txt").read_text()
    assert log.count("left out 1 duplicates") == 1
    assert "2 pairs remain" in log


def test_a_missing_partner_is_named(root):
    Path(root, "test/resize_gt/0151.png").unlink()
    with pytest.raises(ValueError, match=r"1 have no partner in .*resize_gt:\n.*0151\.jpg"):
        BacklitPairs(backlit="test/resize_input", well_lit="test/resize_gt", data_root=root)


def test_indices_keep_the_first_pairs(root):
    dataset = BacklitPairs(
        backlit="test/resize_input", well_lit="test/resize_gt", data_root=root, indices=1
    )
    assert len(dataset) == 1
