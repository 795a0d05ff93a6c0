"""The residual vector.

From two folders of photos to one direction in CLIP space, kept with its provenance.
"""

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.functional import residual_vector
from rave_mm.image_files import UnreadablePhotoError, list_photos, read_photo

UNREADABLE = ("error", "skip")


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
    """(N, D) unit rows, on the CPU."""
    unreadable: tuple[str, ...]
    """One line for each photo that was skipped."""


class _PreparedPhotos(Dataset[Tensor | str]):
    """Photo i, read and preprocessed; or, where it cannot be read, the reason."""

    def __init__(self, paths: Sequence[Path], clip: FrozenCLIP) -> None:
        self.paths, self.clip = paths, clip

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor | str:
        try:
            photo = read_photo(self.paths[index])
        except UnreadablePhotoError as error:
            return str(error)
        if photo.dtype == np.uint16:
            photo = np.round(photo / 257).astype(np.uint8)
        return self.clip.prepare_photo(Image.fromarray(photo))


def embed_photos(
    clip: FrozenCLIP,
    paths: Sequence[Path],
    on_unreadable: str = "error",
    batch_size: int = 64,
    workers: int = 0,
) -> PhotoEmbeddings:
    """Embed photos with CLIP's own preprocessing, in batches, with a progress bar.

    Cached by their contents.

    Args:
        clip: the CLIP; it computes where its model is.
        paths: the photos.
        on_unreadable: "error" to stop with a list of all that cannot be read, "skip" to leave them
            out.
        batch_size: photos at a time.
        workers: processes that read photos.

    Raises:
        ValueError: photos that cannot be read (all of them are named), or no photo is left.
    """
    if on_unreadable not in UNREADABLE:
        raise ValueError(
            f"on_unreadable: got {on_unreadable!r}, expected one of {', '.join(UNREADABLE)}"
        )
    cached = _cache_file(clip, paths)
    if cached.is_file():
        with np.load(cached, allow_pickle=False) as stored:
            found = PhotoEmbeddings(
                torch.from_numpy(stored["embeddings"]), tuple(stored["unreadable"].tolist())
            )
        print_log(f"embeddings of {len(paths)} photos taken from {cached}", "current")
    else:
        found = _embed_uncached(clip, paths, batch_size, workers)
        _save_npz(
            cached,
            embeddings=found.embeddings.numpy(),
            unreadable=np.array(found.unreadable, dtype=np.str_),
        )
    if found.unreadable and on_unreadable == "error":
        listing = "\n  ".join(found.unreadable)
        raise ValueError(
            f"{len(found.unreadable)} of {len(paths)} photos cannot be read:\n  {listing}\n"
            "Replace or remove them, or say on_unreadable='skip' to go on without them."
        )
    if len(found.embeddings) == 0:
        raise ValueError(
            f"none of {len(paths)} photos could be read: {'; '.join(found.unreadable[:3])}"
        )
    if found.unreadable:
        print_log(
            f"{len(found.unreadable)} of {len(paths)} photos cannot be read and were skipped",
            "current",
            logging.WARNING,
        )
    return found


@torch.no_grad()
def _embed_uncached(
    clip: FrozenCLIP, paths: Sequence[Path], batch_size: int, workers: int
) -> PhotoEmbeddings:
    loader = DataLoader(
        _PreparedPhotos(paths, clip), batch_size, num_workers=workers, collate_fn=list
    )
    embeddings: list[Tensor] = []
    unreadable: list[str] = []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tqdm(total=len(paths), desc=f"CLIP {clip.name}", unit="photo") as progress:
        for batch in loader:
            unreadable += [item for item in batch if isinstance(item, str)]
            readable = [item for item in batch if not isinstance(item, str)]
            if readable:
                embeddings.append(clip.embed_prepared(torch.stack(readable).to(device)).cpu())
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
        on_unreadable: "error" or "skip", as in :func:`embed_photos`.

    Raises:
        FileNotFoundError, ValueError: folders without photos, photos that cannot be read, or equal
            means.
    """
    positive = embed_photos(clip, list_photos(Path(well_lit)), on_unreadable)
    negative = embed_photos(clip, list_photos(Path(backlit)), on_unreadable)
    vector, target = residual_vector(positive.embeddings, negative.embeddings)
    provenance = Provenance(
        clip=clip.name,
        clip_fingerprint=clip.fingerprint,
        well_lit=str(well_lit),
        backlit=str(backlit),
        well_lit_count=len(positive.embeddings),
        backlit_count=len(negative.embeddings),
        skipped=len(positive.unreadable) + len(negative.unreadable),
        estimator="mean",
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    print_log(
        f"residual vector from {provenance.well_lit_count} well-lit and "
        f"{provenance.backlit_count} backlit photos: target {target:.4f}",
        "current",
    )
    return ResidualVector(vector, target, provenance)


def _cache_file(clip: FrozenCLIP, paths: Sequence[Path]) -> Path:
    """A name from the contents of the photos, in their order, and the model.

    Where a photo lies does not count, but for photos that cannot be read, which are told by their
    path.
    """
    with ThreadPoolExecutor() as pool:
        digests = list(
            tqdm(
                pool.map(_digest, paths),
                total=len(paths),
                desc="hashing",
                unit="photo",
                leave=False,
            )
        )
    key = hashlib.sha256(
        "\n".join([clip.fingerprint, clip.precision, *digests]).encode()
    ).hexdigest()[:24]
    folder = (
        Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "rave_mm" / "embeddings"
    )
    return folder / f"{key}.npz"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _save_npz(path: Path, **arrays: np.ndarray | np.float32) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    temporary.replace(path)
