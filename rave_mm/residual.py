"""The residual vector.

From two folders of photos to one direction in CLIP space, kept with its provenance.
"""

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.functional import residual_vector
from rave_mm.image_files import (
    UnreadablePhotoError,
    check_on_unreadable,
    list_photos,
    read_photo_8_bit,
)
from rave_mm.whole_files import replacing

_BATCH = 64


@dataclass(frozen=True)
class Provenance:
    """Where a residual vector comes from."""

    clip: str
    """The CLIP's name."""
    clip_fingerprint: str
    """A hash of its weights and preprocessing."""
    well_lit: str
    """Folder of the well-lit photos."""
    backlit: str
    """Folder of the backlit photos."""
    well_lit_count: int
    backlit_count: int
    skipped: int
    """How many photos could not be read and were left out on request."""
    estimator: str
    """How the two clouds of embeddings were reduced to a direction."""
    date: str
    """When, ISO 8601, UTC."""


@dataclass(frozen=True)
class ResidualVector:
    """RAVE's direction `v` with its target `t` (arXiv 2404.01889)."""

    vector: Tensor
    """(D,), unit length, float32, on the CPU."""
    target: float
    """The projection of the mean well-lit embedding on the vector."""
    provenance: Provenance

    def save(self, path: str | Path) -> None:
        """Write an .npz with `vector`, `target` and `provenance`; nothing is left half-written."""
        _save_npz(
            Path(path),
            vector=self.vector.numpy(),
            target=np.float32(self.target),
            provenance=np.array(json.dumps(asdict(self.provenance))),
        )

    @classmethod
    def load(cls, path: str | Path) -> "ResidualVector":
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file holds no residual vector; it says what it holds.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                provenance = Provenance(**json.loads(str(stored["provenance"])))
                return cls(torch.from_numpy(stored["vector"]), float(stored["target"]), provenance)
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(
                f"{path} is no residual vector: expected an .npz with vector, target and "
                f"provenance, as ResidualVector.save writes it ({error})"
            ) from error


@dataclass(frozen=True)
class PhotoEmbeddings:
    """What CLIP says of a list of photos."""

    embeddings: Tensor
    """(N, D) unit rows of those that could be read, on the CPU."""
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
    cached = _cache_file(clip, paths)
    if cached is not None and cached.is_file():
        print_log(f"embeddings of {len(paths)} photos taken from {cached}", "current")
        with np.load(cached, allow_pickle=False) as stored:
            return PhotoEmbeddings(torch.from_numpy(stored["embeddings"]))
    found = _embed_uncached(clip, paths)
    if cached is not None and not found.unreadable:
        _save_npz(cached, embeddings=found.embeddings.numpy())
    return found


@torch.no_grad()
def _embed_uncached(clip: FrozenCLIP, paths: Sequence[Path]) -> PhotoEmbeddings:
    loader = DataLoader(
        _PreparedPhotos(paths, clip.prepare_photo),
        _BATCH,
        # To start processes for one batch would take longer than to read it.
        num_workers=min(os.cpu_count() or 1, 8) if len(paths) > _BATCH else 0,
        collate_fn=list,
    )
    embeddings: list[Tensor] = []
    unreadable: list[str] = []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tqdm(total=len(paths), desc=f"CLIP {clip.name}", unit="photo") as progress:
        for batch in loader:
            unreadable += [item for item in batch if isinstance(item, str)]
            readable = [item for item in batch if not isinstance(item, str)]
            if readable:
                photos = torch.from_numpy(np.stack(readable)).to(device)
                embeddings.append(clip.embed_prepared(photos).cpu())
            progress.update(len(batch))
    stacked = torch.cat(embeddings) if embeddings else torch.empty(0, clip.dimension)
    return PhotoEmbeddings(stacked, tuple(unreadable))


def residual_from_folders(
    clip: FrozenCLIP, well_lit: str | Path, backlit: str | Path, on_unreadable: str = "error"
) -> ResidualVector:
    """RAVE's residual vector of two folders: `v = norm(p - n)`, `p` and `n` the normalised means.

    Args:
        clip: the CLIP in whose space the vector lies.
        well_lit: folder of well-lit photos; for paired training, the ground truth.
        backlit: folder of backlit photos.
        on_unreadable: "error" to stop with a list of all photos that cannot be read, "skip" to go
            on without them.

    Raises:
        FileNotFoundError, ValueError: folders without photos, photos that cannot be read (those of
            both folders are named), or equal means.
    """
    check_on_unreadable(on_unreadable)
    photos = [list_photos(Path(folder)) for folder in (well_lit, backlit)]
    positive, negative = (embed_photos(clip, paths) for paths in photos)
    unreadable = positive.unreadable + negative.unreadable
    if unreadable:
        told = f"{len(unreadable)} of {sum(map(len, photos))} photos cannot be read"
        listing = "\n  ".join(unreadable)
        if on_unreadable == "error":
            raise ValueError(
                f"{told}:\n  {listing}\n"
                "Replace or remove them, or say on_unreadable='skip' to go on without them."
            )
        print_log(f"{told} and are skipped:\n  {listing}", "current", logging.WARNING)
    for folder, found in ((well_lit, positive), (backlit, negative)):
        if len(found.embeddings) == 0:
            raise ValueError(
                f"none of {len(found.unreadable)} photos in {folder} can be read: "
                f"{'; '.join(found.unreadable[:3])}"
            )
    vector, target = residual_vector(positive.embeddings, negative.embeddings)
    provenance = Provenance(
        clip=clip.name,
        clip_fingerprint=clip.fingerprint,
        well_lit=str(well_lit),
        backlit=str(backlit),
        well_lit_count=len(positive.embeddings),
        backlit_count=len(negative.embeddings),
        skipped=len(unreadable),
        estimator="mean",
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    print_log(
        f"residual vector from {provenance.well_lit_count} well-lit and "
        f"{provenance.backlit_count} backlit photos: target {target:.4f}",
        "current",
    )
    return ResidualVector(vector, target, provenance)


def _cache_file(clip: FrozenCLIP, paths: Sequence[Path]) -> Path | None:
    """A name from the contents of the photos, in their order, and the model.

    Where a photo lies does not count. None if the contents cannot all be had.
    """
    with ThreadPoolExecutor() as pool:
        hashing = pool.map(_digest, paths)
        digests = list(tqdm(hashing, "hashing", total=len(paths), unit="photo", leave=False))
    known = [digest for digest in digests if digest]
    if len(known) < len(paths):
        return None
    key = hashlib.sha256("\n".join([clip.fingerprint, clip.precision, *known]).encode())
    folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return folder / "rave_mm" / "embeddings" / f"{key.hexdigest()[:24]}.npz"


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # reading the photo will tell
        return None


def _save_npz(path: Path, **arrays: np.ndarray | np.float32) -> None:
    # Given a name, numpy would add .npz to it.
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)
