"""The sets that are made here: the demo's, and the bundled CLIP's."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from rave_mm.datasets import synthetic_backlight as backlight
from rave_mm.datasets.photo_sets.building import build_set, digest
from rave_mm.datasets.photo_sets.sources import (
    chosen_photographs,
    debian_folders,
    photograph_file,
    pip_folders,
)
from rave_mm.photos.reading import read_photo_8_bit
from rave_mm.photos.writing import write_photo

CLIP_SHORT_SIDE = 320
"""Of the bundled CLIP's photographs, in pixels."""

# Sets of before the photographs' colour profiles were applied are not these.
_COLOURS = "sRGB"

_DEMO_FOLDERS = {
    "train": ("train/backlit", "train/well-lit"),
    "test": ("test/resize_input", "test/resize_gt"),
}


def make_demo(
    out: Path, size: int = 384, variants: int = 3, seed: int = 0, force: bool = False
) -> bool:
    """Make BAID-shaped pairs with synthetic backlight from the photographs of pip packages.

    Args:
        out: Folder to make.
        size: Long side in pixels; smaller photographs keep their size.
        variants: Backlit versions of each training photograph; a test photograph has one.
        seed: Decides the backlight. A photograph's does not depend on the others in the list.
        force: Make the set anew even where it is complete.

    Returns:
        True if it was made, False if it was there already.

    Raises:
        PreparationError: A package is missing, or ``out`` holds something else.
    """
    chosen = chosen_photographs("demo")
    source = Path(str(backlight.__file__)).read_bytes()
    parameters = {
        "set": "demo",
        "colours": _COLOURS,
        "size": size,
        "variants": variants,
        "seed": seed,
        "photographs": digest(json.dumps(chosen, sort_keys=True).encode()),
        "backlight": digest(source),
    }

    def fill(folder: Path) -> None:
        places = pip_folders(chosen)
        for entry in tqdm(chosen, desc="demo photographs", unit="photo"):
            photo = _reduced(read_photo_8_bit(photograph_file(entry, places)), size, max)
            backlit_folder, well_lit_folder = _DEMO_FOLDERS[entry["split"]]
            versions = variants if entry["split"] == "train" else 1
            for version in range(versions):
                rng = np.random.default_rng([seed, zlib.crc32(entry["id"].encode()), version])
                name = f"{entry['id']}_{version}.png" if versions > 1 else f"{entry['id']}.png"
                _write(folder / backlit_folder / name, backlight.synthetic_backlight(photo, rng))
                _write(folder / well_lit_folder / name, photo)

    return build_set(out, parameters, chosen, fill, force)


def make_lighting_clip(out: Path, debs: Path | None = None, force: bool = False) -> bool:
    """Collect the photographs behind the bundled CLIP, ``train/ID.png`` and ``test/ID.png``.

    Args:
        out: Folder to make.
        debs: Folder with the .deb files, or None to fetch them with apt-get.
        force: Make the set anew even where it is complete.

    Returns:
        True if it was made, False if it was there already.

    Raises:
        PreparationError: A package is missing or cannot be fetched, or ``out`` holds
            something else.
    """
    chosen = chosen_photographs("clip")
    parameters = {
        "set": "lighting-clip",
        "colours": _COLOURS,
        "short_side": CLIP_SHORT_SIDE,
        "photographs": digest(json.dumps(chosen, sort_keys=True).encode()),
    }

    def fill(folder: Path) -> None:
        places = pip_folders(chosen)
        with debian_folders(chosen, debs) as unpacked:
            places |= unpacked
            for entry in tqdm(chosen, desc="lighting CLIP photographs", unit="photo"):
                photo = _reduced(
                    read_photo_8_bit(photograph_file(entry, places)), CLIP_SHORT_SIDE, min
                )
                _write(folder / entry["split"] / f"{entry['id']}.png", photo)

    return build_set(out, parameters, chosen, fill, force)


def _reduced(photo: np.ndarray, limit: int, side: Callable[[tuple[int, ...]], int]) -> np.ndarray:
    """Reduce a photograph until its longer (side=max) or shorter (min) side is `limit`."""
    scale = limit / side(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(1, round(length * scale)) for length in photo.shape[:2])
    return np.array(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))


def _write(path: Path, photo: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(path, photo)
