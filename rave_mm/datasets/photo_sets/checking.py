"""What training would meet in the folders that somebody brings."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from rave_mm.datasets.photo_sets import PreparationError
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.folders import first_few, list_photos, pair_by_stem
from rave_mm.photos.reading import read_photo


def check_folders(backlit: Path, well_lit: Path, unpaired: bool = False) -> str:
    """Read every photograph of two folders, as training would.

    Args:
        backlit: Folder of backlit photographs.
        well_lit: Folder of well-lit ones: their counterparts, unless ``unpaired``.
        unpaired: Whether the folders have nothing to do with each other.

    Returns:
        Counts, as text.

    Raises:
        PreparationError: Photographs cannot be read; names them.
        FileNotFoundError, ValueError: As :func:`rave_mm.photos.folders.pair_by_stem`.
    """
    if unpaired:
        photos = [list_photos(backlit), list_photos(well_lit)]
        lines = []
    else:
        listing = pair_by_stem(backlit, well_lit)
        photos = [[pair[side] for pair in listing.pairs] for side in (0, 1)]
        lines = [f"pairs: {len(listing.pairs)}", f"duplicates left out: {len(listing.left_out)}"]
        if listing.left_out:
            lines.append(first_few(listing.left_out))
    broken: list[UnreadablePhotoError] = []
    with tqdm(total=sum(map(len, photos)), desc="reading", unit="photo") as bar:
        for folder, paths in zip((backlit, well_lit), photos, strict=True):
            deep = 0
            sides: list[int] = []
            for path in paths:
                try:
                    photo = read_photo(path)
                    deep += photo.dtype == np.uint16
                    sides += photo.shape[:2]
                except UnreadablePhotoError as error:
                    broken.append(error)
                bar.update()
            pixels = f"{min(sides)} to {max(sides)} pixels a side" if sides else "none readable"
            lines.append(f"{folder}: {len(paths)} photographs, {pixels}, {deep} of 16 bits")
    if broken:
        named = first_few([f"{error.path}: {error.reason}" for error in broken])
        raise PreparationError(
            f"{len(broken)} photographs cannot be read:\n{named}\n"
            "Replace or remove them; training would stop at the first."
        )
    return "\n".join(lines)
