"""The set that the shipped enhancer is trained, chosen and tested with."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rave_mm.datasets.photo_sets.building import build_set, digest
from rave_mm.datasets.photo_sets.sets import (
    backlight_digest,
    photograph_rng,
    reduced,
    write_into,
)
from rave_mm.datasets.photo_sets.sources import (
    Entry,
    chosen_photographs,
    package_folders,
    photograph_file,
)
from rave_mm.datasets.shadows import cut_out, region
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.photos.reading import read_photo_8_bit

LONG_SIDE = 512
"""Of the photographs, in pixels; but for those in test/camera, which keep their size."""

# What ends the name of a split of photographs without ground truth.
_REAL = "-real"

CAMERA_PIXELS = 6_000_000
"""Photographs for testing of so many pixels or more are in test/camera too."""


def make_enhancer(
    out: Path, packages: Path | None = None, seed: int = 0, force: bool = False
) -> bool:
    """Collect photographs for an enhancer, and make backlit versions of them.

    - ``train/well-lit``, with the mask of each one's subject in ``train/subject`` (black where
      there is none) and a backlit version in ``train/backlit``;
    - ``val`` and ``test``, each with ``soft`` (a soft shadow in the lower centre) and ``subjects``
      (things darkened along their own outlines), and ``test/camera`` (soft, of 6 megapixels and
      more); in each ``backlit`` and ``well-lit``;
    - ``val/real`` and ``test/real``: backlit by nature, or dark for a reason; without ground truth.

    Args:
        out: Folder to make.
        packages: Folder with the .deb and .tgz files, or None to fetch them.
        seed: Decides the backlight. A photograph's does not depend on the others in the list.
        force: Make it anew even where it is complete.

    Returns:
        True if it was made, False if it was there already.

    Raises:
        PreparationError: A package is missing or cannot be fetched, or ``out`` holds
            something else.
    """
    chosen = chosen_photographs("enhancer")
    parameters = {
        "set": "enhancer",
        "long_side": LONG_SIDE,
        "seed": seed,
        "photographs": digest(json.dumps(chosen, sort_keys=True).encode()),
        "backlight": backlight_digest(),
        "layout": digest(Path(__file__).read_bytes()),
    }

    def fill(folder: Path) -> None:
        with package_folders(chosen, packages) as places:
            for entry in tqdm(chosen, desc="enhancer photographs", unit="photo"):
                whole = read_photo_8_bit(photograph_file(entry, places))
                _write_photograph(folder / entry["split"], entry, whole, seed)

    return build_set(out, parameters, chosen, fill, force)


def _write_photograph(folder: Path, entry: Entry, whole: np.ndarray, seed: int) -> None:
    photo, name = reduced(whole, LONG_SIDE, max), f"{entry['id']}.png"
    if entry["split"].endswith(_REAL):
        write_into(folder.with_name(entry["split"].removesuffix(_REAL)) / "real" / name, photo)
        return
    rng = photograph_rng(entry, seed)
    subject = cut_out(photo, entry["subject"]) if "subject" in entry else None
    if entry["split"] == "train":
        shown = np.zeros(photo.shape[:2], np.float32) if subject is None else subject
        write_into(folder / "well-lit" / name, photo)
        write_into(folder / "subject" / name, np.round(shown[..., None] * 255).astype(np.uint8))
        mask = region(photo, rng) if subject is None else subject
        write_into(folder / "backlit" / name, synthetic_backlight(photo, rng, mask=mask))
        return
    write_into(folder / "soft/well-lit" / name, photo)
    write_into(folder / "soft/backlit" / name, synthetic_backlight(photo, rng))
    if subject is not None:
        write_into(folder / "subjects/well-lit" / name, photo)
        backlit = synthetic_backlight(photo, rng, (1.5, 3.5), subject)
        write_into(folder / "subjects/backlit" / name, backlit)
    if entry["split"] == "test" and whole.shape[0] * whole.shape[1] >= CAMERA_PIXELS:
        name = f"{entry['id']}.jpg"
        write_into(folder / "camera/well-lit" / name, whole)
        write_into(folder / "camera/backlit" / name, synthetic_backlight(whole, rng))
