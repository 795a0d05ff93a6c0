"""The sets that are made here: the demo's, and the bundled CLIP's."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from rave_mm.datasets import shadows, synthetic_backlight
from rave_mm.datasets.photo_sets.building import build_set, digest
from rave_mm.datasets.photo_sets.sources import (
    Entry,
    chosen_photographs,
    package_folders,
    photograph_file,
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
    parameters = {
        "set": "demo",
        "colours": _COLOURS,
        "size": size,
        "variants": variants,
        "seed": seed,
        "photographs": digest(json.dumps(chosen, sort_keys=True).encode()),
        "backlight": backlight_digest(),
    }

    def fill(folder: Path) -> None:
        with package_folders(chosen) as places:
            for entry in tqdm(chosen, desc="demo photographs", unit="photo"):
                photo = reduced(read_photo_8_bit(photograph_file(entry, places)), size, max)
                backlit_folder, well_lit_folder = _DEMO_FOLDERS[entry["split"]]
                versions = variants if entry["split"] == "train" else 1
                for version in range(versions):
                    rng = photograph_rng(entry, seed, version)
                    name = f"{entry['id']}_{version}.png" if versions > 1 else f"{entry['id']}.png"
                    backlit = synthetic_backlight.synthetic_backlight(photo, rng)
                    write_into(folder / backlit_folder / name, backlit)
                    write_into(folder / well_lit_folder / name, photo)

    return build_set(out, parameters, chosen, fill, force)


def make_lighting_clip(out: Path, packages: Path | None = None, force: bool = False) -> bool:
    """Collect the photographs behind the bundled CLIP, ``train/ID.png`` and ``test/ID.png``.

    Args:
        out: Folder to make.
        packages: Folder with the .deb files, or None to fetch them with apt-get.
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
        with package_folders(chosen, packages) as places:
            for entry in tqdm(chosen, desc="lighting CLIP photographs", unit="photo"):
                photo = reduced(
                    read_photo_8_bit(photograph_file(entry, places)), CLIP_SHORT_SIDE, min
                )
                write_into(folder / entry["split"] / f"{entry['id']}.png", photo)

    return build_set(out, parameters, chosen, fill, force)


def backlight_digest() -> str:
    """Of all that decides what a synthetic backlight looks like."""
    sources = (synthetic_backlight, shadows)
    return digest(b"".join(Path(str(module.__file__)).read_bytes() for module in sources))


def photograph_rng(entry: Entry, seed: int, version: int = 0) -> np.random.Generator:
    """Of a photograph's own: it does not depend on the others in the list."""
    return np.random.default_rng([seed, zlib.crc32(entry["id"].encode()), version])


def reduced(photo: np.ndarray, limit: int, side: Callable[[tuple[int, ...]], int]) -> np.ndarray:
    """Reduce a photograph until its longer (side=max) or shorter (min) side is `limit`."""
    scale = limit / side(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(1, round(length * scale)) for length in photo.shape[:2])
    return np.array(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))


def write_into(path: Path, photo: np.ndarray) -> None:
    """Write a photograph into a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(path, photo)
