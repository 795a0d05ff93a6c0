"""The two clouds of photos that a residual vector leads from and to."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.photo_embeddings import PhotoEmbeddings, embed_photos
from rave_mm.photos.folders import check_on_unreadable, list_photos


@dataclass(frozen=True)
class PhotoClouds:
    """Well-lit and backlit photos as one CLIP sees them."""

    well_lit: PhotoEmbeddings
    backlit: PhotoEmbeddings

    @property
    def skipped(self) -> int:
        """How many photos could not be read."""
        return len(self.well_lit.unreadable) + len(self.backlit.unreadable)

    def scenes(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Which photos must stay together when some are held out: a number for each photo.

        Those of one name are taken for one scene under two lights, those of equal contents for one
        photo; so are chains of such.

        Returns:
            The numbers of the well-lit and of the backlit photos.
        """
        photos = [self.well_lit, self.backlit]
        keys: list[list[str | None]] = [
            [path.stem for found in photos for path in found.paths],
            [digest for found in photos for digest in found.digests],
        ]
        count = len(keys[0])
        first: dict[tuple[int, str], int] = {}
        links = [
            (first.setdefault((kind, key), index), index)
            for kind, column in enumerate(keys)
            for index, key in enumerate(column)
            if key is not None
        ]
        ends = np.array(links).reshape(-1, 2).T
        graph = coo_matrix((np.ones(len(links)), (ends[0], ends[1])), (count, count))
        _, numbers = connected_components(graph, directed=False)
        return numbers[: len(self.well_lit.paths)], numbers[len(self.well_lit.paths) :]


def choose_photos(source: str | Path, photos: int | None = None, seed: int = 0) -> list[Path]:
    """List the photos of a folder, or draw some of them.

    Args:
        source: a folder, or a folder with a pattern of file names behind it, as
            `photos/[a-m]*`.
        photos: how many to draw; None for all. The same seed draws the same places of folders
            with equally many photos: of pairs both, where the partners are listed alike.
        seed: of the draw.

    Raises:
        FileNotFoundError: no such folder, or no photo in it that fits the pattern.
        ValueError: fewer photos than are to be drawn.
    """
    folder, pattern = Path(source), "*"
    if not folder.is_dir() and any(sign in folder.name for sign in "*?["):
        folder, pattern = folder.parent, folder.name
    found = [path for path in list_photos(folder) if fnmatchcase(path.name, pattern)]
    if not found:
        raise FileNotFoundError(f"no photo in {folder} has a name like {pattern}")
    if photos is None:
        return found
    if not 1 <= photos <= len(found):
        raise ValueError(f"photos: got {photos}, expected 1 to {len(found)}, as {source} has")
    drawn = np.random.default_rng(seed).permutation(len(found))[:photos]
    return [found[index] for index in sorted(drawn)]


def embed_clouds(
    clip: FrozenCLIP,
    well_lit: str | Path,
    backlit: str | Path,
    on_unreadable: str = "error",
    photos: int | None = None,
    seed: int = 0,
) -> PhotoClouds:
    """Embed the photos of two folders.

    Args:
        clip: the CLIP.
        well_lit, backlit, photos, seed: as in :func:`choose_photos`.
        on_unreadable: "error" to stop with a list of all photos that cannot be read, "skip" to go
            on without them.

    Raises:
        FileNotFoundError, ValueError: folders without photos, fewer than are to be drawn, or photos
            that cannot be read (those of both folders are named).
    """
    check_on_unreadable(on_unreadable)
    paths = [choose_photos(source, photos, seed) for source in (well_lit, backlit)]
    positive, negative = (embed_photos(clip, listed) for listed in paths)
    unreadable = positive.unreadable + negative.unreadable
    if unreadable:
        _tell_unreadable(unreadable, sum(map(len, paths)), on_unreadable)
    for folder, found in ((well_lit, positive), (backlit, negative)):
        if len(found.embeddings) == 0:
            raise ValueError(
                f"none of {len(found.unreadable)} photos in {folder} can be read: "
                f"{'; '.join(found.unreadable[:3])}"
            )
    return PhotoClouds(positive, negative)


def _tell_unreadable(unreadable: Sequence[str], count: int, on_unreadable: str) -> None:
    told = f"{len(unreadable)} of {count} photos cannot be read"
    listing = "\n  ".join(unreadable)
    if on_unreadable == "error":
        raise ValueError(
            f"{told}:\n  {listing}\n"
            "Replace or remove them, or say on_unreadable='skip' to go on without them."
        )
    print_log(f"{told} and are skipped:\n  {listing}", "current", logging.WARNING)
