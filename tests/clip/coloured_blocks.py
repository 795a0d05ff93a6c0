"""Photos of coloured blocks, neither dark nor bright."""

from pathlib import Path

import numpy as np

from rave_mm.photos.writing import write_photo


def write_coloured_blocks(folder: Path, count: int) -> None:
    """Write so many photos of 160 x 120 pixels into a folder, always the same ones."""
    rng = np.random.default_rng(0)
    for index in range(count):
        photo = rng.integers(60, 200, (12, 16, 3)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
        write_photo(folder / f"{index}.png", photo)
