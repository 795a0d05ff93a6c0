"""Reads what PyTorch has saved, as tensors and plain values alone: nothing in a file is run."""

import pickle
import re
import struct
from pathlib import Path
from typing import Any

import torch

from rave_mm.runtime.compat import allow_mmengine_checkpoints

# What PyTorch's reader raises for files that are none, whose bytes it takes for commands.
_UNREADABLE = (
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,  # of sizes that are none
    struct.error,
)


class TensorFileError(ValueError):
    """A file that PyTorch did not write, that is cut off, or that asks for code to be run."""


def read_tensors(path: str | Path) -> Any:
    """What a file of PyTorch's holds, on the CPU: tensors in dicts, lists and such.

    What MMEngine writes beside the weights is read, too.

    Raises:
        FileNotFoundError: There is no such file.
        TensorFileError: It cannot be read; names the file and says why.
    """
    allow_mmengine_checkpoints()
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        if error.filename is not None:
            raise
        # It asks for a place before its beginning.
        raise TensorFileError(f"{path}: {_reason(error)}") from error
    except _UNREADABLE as error:
        raise TensorFileError(f"{path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """In words of our own: PyTorch's advise to read the file with its code."""
    wanted = re.search(r"GLOBAL (\S+)|global (\S+)|asks for (attribute '\w+')", str(error))
    if wanted:
        name = next(filter(None, wanted.groups()))
        return (
            f"it asks for {name}, which no file of weights needs, so it is something else, or made "
            "to do harm. Nothing of it was run"
        )
    return f"cut off, or no file that PyTorch wrote ({type(error).__name__})"
