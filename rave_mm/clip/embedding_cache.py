"""Where embeddings are kept that need not be computed twice."""

import hashlib
import os
from pathlib import Path


def cache_file(*key: str) -> Path:
    """The file for what the key tells apart: contents, weights, precision.

    In `$XDG_CACHE_HOME/rave_mm/embeddings`, `~/.cache` where that is not set. An .npz, which need
    not be there yet.
    """
    digest = hashlib.sha256("\n".join(key).encode())
    folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return folder / "rave_mm" / "embeddings" / f"{digest.hexdigest()[:24]}.npz"
