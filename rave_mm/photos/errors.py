"""What is raised for a photograph's file that cannot be read, and what libvips says of it."""

import re
from pathlib import Path

import pyvips


class UnreadablePhotoError(RuntimeError):
    """A photograph that is missing, truncated, corrupt or of a kind that is not read.

    Attributes:
        path: The file.
        reason: What is wrong with it, in words.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot read photograph {self.path}: {self.reason}"


def unreadable_in_worker(error: RuntimeError) -> UnreadablePhotoError | None:
    """What PyTorch has made of an :class:`UnreadablePhotoError` in a loader's worker: a text.

    Args:
        error: As the loader raises it, with the worker's traceback in front.

    Returns:
        The exception again; None if it was another.
    """
    told = _IN_WORKER.search(str(error).strip())
    return None if told is None else UnreadablePhotoError(told[1], told[2])


_IN_WORKER = re.compile(
    rf"^[\w.]+\.{UnreadablePhotoError.__name__}: cannot read photograph (.+?): (.+)\Z",
    re.MULTILINE | re.DOTALL,
)


class PhotoFolderError(ValueError):
    """A folder without photographs, with unreadable ones, or two that do not pair."""


def reason(error: pyvips.Error) -> str:
    """What libvips says is wrong, in a line; what the system says alone, where it says something.

    A full disk would be told with each of the functions that met it.
    """
    lines = [line.strip() for line in str(error.detail).splitlines() if line.strip()]
    told = "; ".join(dict.fromkeys(lines)) or str(error.message)
    of_the_system = re.search(r"system error: (?!Unknown error)([^;]+)", told)
    return of_the_system[1] if of_the_system else told
