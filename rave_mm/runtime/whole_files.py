"""Files that are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file aside, so that a file of this name is always a whole one.

    Its folder is made where it is missing.

    Yields:
        Where to write. The file takes its name when the block ends, and is removed if it raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file, so that it is whole or not there."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_npz(path: Path, **arrays: ArrayLike) -> None:
    """Write NumPy arrays by name, so that the file is whole or not there."""
    # Given a name, numpy would add .npz to it.
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
