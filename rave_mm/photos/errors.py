"""What is raised for a photograph's file that cannot be read, and what libvips says of it."""

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


class PhotoFolderError(ValueError):
    """A folder without photographs, with unreadable ones, or two that do not pair."""


def reason(error: pyvips.Error) -> str:
    """What libvips says is wrong, in a line."""
    lines = [line.strip() for line in str(error.detail).splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(lines)) or str(error.message)
