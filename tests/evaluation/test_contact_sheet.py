"""Rows of pictures under titles."""

from pathlib import Path

from PIL import Image

from rave_mm.evaluation.contact_sheet import contact_sheet
from rave_mm.photos.reading import read_photo


def test_rows_are_stacked(tmp_path: Path) -> None:
    rows = [Image.new("RGB", (96, 10), colour) for colour in ((200, 10, 10), (10, 10, 200))]
    contact_sheet(("input", "RAVE", "ground truth"), rows, tmp_path / "sheet.png")
    sheet = read_photo(tmp_path / "sheet.png")
    assert sheet.shape == (24 + 2 * (120 + 4), 1152, 3)
    assert tuple(sheet[24 + 60, 600]) == (200, 10, 10)
    assert tuple(sheet[24 + 124 + 60, 600]) == (10, 10, 200)
    contact_sheet(("a", "b"), rows[:1], tmp_path / "sheet.png", column=48)
    assert read_photo(tmp_path / "sheet.png").shape == (24 + 10 + 4, 96, 3)
