"""What reads files that somebody else made."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rave_mm.clip.embedding_cache import EmbeddingCache
from rave_mm.clip.weights import build_clip
from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.inference.photo_outcome import failures
from rave_mm.inference.weights import load_network
from rave_mm.losses.pair_files import read_pair
from rave_mm.networks.published_checkpoints import UnknownCheckpointError
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.formats import format_of_file, result_format
from rave_mm.photos.reading import checked_size, open_photo
from rave_mm.photos.writing import write_photo

Refusals = tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Reader:
    """A way to read a file.

    Attributes:
        name: Of what is read.
        read: Reads it; raises AssertionError if what it read cannot be.
        refusals: What it may raise.
    """

    name: str
    read: Callable[[Path], Any]
    refusals: Refusals

    def try_to_read(self, path: Path) -> str:
        """ "read", "refused", or what is wrong."""
        silent = io.StringIO()
        try:
            with contextlib.redirect_stderr(silent), contextlib.redirect_stdout(silent):
                self.read(path)
        except self.refusals as error:
            return "refused" if str(error) else f"{type(error).__name__} without a word"
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
            return f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
        return "read"


def photo(path: Path) -> None:
    """As training does: look at its header and end, and decode it."""
    checked_size(path)
    loaded = open_photo(path, max_pixels=10**6).load()
    _check(loaded.values)


def photo_and_result(path: Path) -> None:
    """As enhancing does: with its metadata, which are written into the result."""
    loaded = open_photo(path, max_pixels=10**6).load()
    _check(loaded.values)
    kind = format_of_file(path)
    assert kind is not None
    target = path.with_name(f"result-{path.stem}{result_format(kind).extensions[0]}")
    try:
        write_photo(target, loaded.values, loaded)
        again = open_photo(target).load()
        assert again.values.shape == loaded.values.shape, "the result has another size"
    except UnreadablePhotoError as error:
        raise AssertionError(f"the result cannot be read: {error}") from error
    finally:
        target.unlink(missing_ok=True)


def _check(values: np.ndarray) -> None:
    assert values.ndim == 3 and values.shape[2] in (1, 3) and 0 not in values.shape, values.shape
    assert values.dtype in (np.uint8, np.uint16), values.dtype


def embeddings(path: Path) -> None:
    cache = EmbeddingCache("fuzz")
    cache.path = path
    cache.read(3, 4, "photos")


READERS = (
    Reader("photos", photo, (UnreadablePhotoError,)),
    Reader("results", photo_and_result, failures()),
    Reader("checkpoints", load_network, (UnknownCheckpointError,)),
    Reader("pairs", lambda path: read_pair(path, ("embedding_prompt",)), (ValueError,)),
    Reader("residuals", ResidualVector.load, (ValueError,)),
    Reader("embeddings", embeddings, ()),
    Reader("clip", lambda path: build_clip("openai", str(path)), (ValueError,)),
)
