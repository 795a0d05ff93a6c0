"""Pictures side by side under titles, for people to look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from rave_mm.photos.writing import write_photo

_HEADING, _GAP = 24, 4


def contact_sheet(
    titles: Sequence[str], rows: Sequence[Image.Image], out: Path, column: int = 384
) -> None:
    """Stack rows of pictures that stand side by side, with a title over each column.

    Args:
        titles: Of the columns.
        rows: A picture for each row: as many pictures of one size beside each other as there are
            titles.
        out: The file to write.
        column: Width of a column, in pixels.
    """
    width = column * len(titles)
    heights = [round(row.height * width / row.width) for row in rows]
    sheet = Image.new("RGB", (width, _HEADING + sum(heights) + _GAP * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, title in enumerate(titles):
        draw.text((column * index + 8, 6), title, fill="black")
    top = _HEADING
    for row, height in zip(rows, heights, strict=True):
        sheet.paste(row.resize((width, height), Image.Resampling.LANCZOS), (0, top))
        top += height + _GAP
    write_photo(out, np.array(sheet))
