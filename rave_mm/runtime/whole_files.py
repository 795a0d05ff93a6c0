"""Files that are whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

_UNFINISHED = re.compile(r"\..+\.(\d+)", re.DOTALL)  # .NAME.PROCESS


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name a file or folder in an OSError that names nothing, as those of a full disk do."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file aside, so that a file of this name is always a whole one.

    Its folder is made where it is missing.

    Yields:
        Where to write. The file takes its name when the block ends, and is removed if it raises.

    Raises:
        OSError: As from the block, with the file's name where it had none (as for a full disk).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with naming(path):
            yield unfinished
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove, at any depth, what processes left half-written that no longer run on this machine."""
    for path in folder.rglob(".*"):
        match = _UNFINISHED.fullmatch(path.name)
        if match and path.is_file() and not _runs(int(match[1])):
            path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_whole(path: Path, text: str) -> None:
    """Write a text file, so that it is whole or not there."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_npz(path: Path, **arrays: ArrayLike) -> None:
    """Write NumPy arrays by name, so that the file is whole or not there."""
    # Given a name, numpy would add .npz to it.
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
