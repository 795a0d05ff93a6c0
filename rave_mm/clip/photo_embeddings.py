"""Photos as a CLIP sees them: embedded in batches, and kept."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from rave_mm.clip.embedding_cache import EmbeddingCache
from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.reading import read_photo_8_bit
from rave_mm.runtime.file_hash import file_sha256

_BATCH = 64


@dataclass(frozen=True)
class PhotoEmbeddings:
    """What CLIP says of a list of photos."""

    embeddings: Tensor
    """(N, D) unit rows of those that could be read, on the CPU."""
    paths: tuple[Path, ...]
    """Their files."""
    digests: tuple[str | None, ...]
    """A hash of the contents of each; None of one that could not be hashed when it was asked."""
    unreadable: tuple[str, ...] = ()
    """One line for each of the others."""


class _PreparedPhotos(Dataset[NDArray[np.float32] | str]):
    """Photo i, read and prepared; or, where it cannot be read, the reason.

    It is an array, since tensors would come from the reading processes through shared memory, of
    which containers have little.
    """

    def __init__(self, paths: Sequence[Path], prepare: Callable[[Image.Image], Tensor]) -> None:
        self.paths, self.prepare = paths, prepare

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> NDArray[np.float32] | str:
        try:
            photo = read_photo_8_bit(self.paths[index])
        except UnreadablePhotoError as error:
            return str(error)
        return self.prepare(Image.fromarray(photo)).numpy()


def embed_photos(clip: FrozenCLIP, paths: Sequence[Path]) -> PhotoEmbeddings:
    """Embed photos with CLIP's own preprocessing, in batches, with a progress bar.

    Cached by their contents, if all can be read.

    Args:
        clip: the CLIP; it computes on the GPU where there is one.
        paths: the photos.
    """
    digests = _digests(paths)
    # By the contents of the photos, in their order, and the model; where a photo lies does not
    # count.
    known = [digest for digest in digests if digest]
    cache = EmbeddingCache(clip.fingerprint, clip.precision, *known)
    complete = len(known) == len(paths)
    if complete:
        kept_before = cache.read(len(paths), clip.dimension, f"{len(paths)} photos")
        if kept_before is not None:
            return PhotoEmbeddings(kept_before, tuple(paths), digests)
    embeddings, faults = _embed_uncached(clip, paths)
    unreadable = tuple(fault for fault in faults if fault)
    if complete and not unreadable:
        cache.write(embeddings)
    kept = [index for index, fault in enumerate(faults) if not fault]
    return PhotoEmbeddings(
        embeddings,
        tuple(paths[index] for index in kept),
        tuple(digests[index] for index in kept),
        unreadable,
    )


@torch.no_grad()
def _embed_uncached(clip: FrozenCLIP, paths: Sequence[Path]) -> tuple[Tensor, list[str | None]]:
    """The embeddings of those that can be read, and of each photo why it cannot be, or None."""
    loader = DataLoader(
        _PreparedPhotos(paths, clip.prepare_photo),
        _BATCH,
        # To start processes for one batch would take longer than to read it.
        num_workers=min(os.cpu_count() or 1, 8) if len(paths) > _BATCH else 0,
        collate_fn=list,
    )
    embeddings: list[Tensor] = []
    faults: list[str | None] = []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tqdm(total=len(paths), desc=f"CLIP {clip.name}", unit="photo") as progress:
        for batch in loader:
            faults += [item if isinstance(item, str) else None for item in batch]
            readable = [item for item in batch if not isinstance(item, str)]
            if readable:
                photos = torch.from_numpy(np.stack(readable)).to(device)
                embeddings.append(clip.embed_prepared(photos).cpu())
            progress.update(len(batch))
    stacked = torch.cat(embeddings) if embeddings else torch.empty(0, clip.dimension)
    return stacked, faults


def _digests(paths: Sequence[Path]) -> tuple[str | None, ...]:
    with ThreadPoolExecutor() as pool:
        hashing = pool.map(_digest, paths)
        return tuple(tqdm(hashing, "hashing", total=len(paths), unit="photo", leave=False))


def _digest(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except OSError:  # reading the photo will tell
        return None
