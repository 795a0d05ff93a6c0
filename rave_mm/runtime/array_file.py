"""Reads NumPy's archives (.npz) of arrays alone: nothing in a file is run."""

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

# What NumPy and Python's reader of archives raise for files that are none, or are damaged.
_UNREADABLE = (
    RuntimeError,  # encrypted
    NotImplementedError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    SyntaxError,
    tokenize.TokenError,  # of an array's header
    MemoryError,  # of sizes that are none
    zipfile.BadZipFile,
    zlib.error,
)


class ArrayFileError(ValueError):
    """A file that is no archive of arrays, or is damaged."""


def read_npz(path: Path, *names: str) -> list[np.ndarray]:
    """The arrays of these names.

    Raises:
        FileNotFoundError: There is no such file.
        ArrayFileError: It cannot be read, or has no such arrays; names the file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return [stored[name] for name in names]
    except OSError as error:
        if error.filename is not None:
            raise
        # It asks for a place before its beginning.
        raise ArrayFileError(f"{path}: damaged ({error})") from error
    except (AttributeError, *_UNREADABLE) as error:
        raise ArrayFileError(f"{path}: damaged, or no archive of arrays ({error})") from error
