"""Where embeddings are kept that need not be computed twice."""

import hashlib
import logging
import os
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor

from rave_mm.runtime.array_file import read_npz
from rave_mm.runtime.whole_files import write_npz


class EmbeddingCache:
    """The file for what a key tells apart: contents, weights, precision.

    It is in `$XDG_CACHE_HOME/rave_mm/embeddings`, `~/.cache` where that is not set.

    Args:
        key: What the embeddings depend on.

    Attributes:
        path: An .npz, which need not be there yet.
    """

    def __init__(self, *key: str) -> None:
        digest = hashlib.sha256("\n".join(key).encode())
        folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        self.path = folder / "rave_mm" / "embeddings" / f"{digest.hexdigest()[:24]}.npz"

    def read(self, count: int, dimension: int, what: str) -> Tensor | None:
        """What was kept, (count, dimension), float32; None where there is nothing of use.

        A file that is damaged counts as absent, and is told.

        Args:
            count: How many embeddings there must be.
            dimension: Of how many components.
            what: They are, for the log.
        """
        if not self.path.is_file():
            return None
        try:
            (stored,) = read_npz(self.path, "embeddings")
            embeddings = torch.from_numpy(stored)
            if embeddings.shape != (count, dimension) or embeddings.dtype != torch.float32:
                raise ValueError(
                    f"got {embeddings.dtype} of shape {tuple(embeddings.shape)}, expected float32 "
                    f"of ({count}, {dimension})"
                )
            if not embeddings.isfinite().all():
                raise ValueError("got values that are not finite")
        except (OSError, TypeError, ValueError) as error:
            print_log(
                f"{self.path} is damaged ({type(error).__name__}: {error}); the embeddings of "
                f"{what} are computed anew",
                "current",
                logging.WARNING,
            )
            return None
        print_log(f"embeddings of {what} taken from {self.path}", "current")
        return embeddings

    def write(self, embeddings: Tensor) -> None:
        """Keep embeddings (N, D) for another time; the file is whole or not there."""
        write_npz(self.path, embeddings=embeddings.numpy())
