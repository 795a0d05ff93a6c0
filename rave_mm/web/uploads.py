"""Uploads: from a browser into a file, within limits, under a name that is only a name."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

from rave_mm.photos.formats import format_of_file, format_of_name

_LONGEST_NAME = 100
# What the disk keeps free for others.
_SPARE_DISK = 10**9
_CHECKED_EACH = 64 * 2**20


class UploadError(Exception):
    """An upload that is refused.

    Args:
        status: The HTTP status that tells it.
        told: The same in words.
    """

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status


def most_bytes(max_pixels: int) -> int:
    """How large the file of a photograph of so many pixels may be: four channels of 16 bits."""
    return max_pixels * 8 + 64 * 2**20


def safe_name(given: str) -> str:
    """The last part of a name, without what a file or a header could trip over.

    Args:
        given: What the browser says that the file is called.
    """
    last = PurePosixPath(given.replace("\\", "/")).name
    plain = re.sub(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff"*:<>?|]', "_", last).strip(". ")
    path = PurePosixPath(plain or "photo")
    stem = path.stem.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return stem + path.suffix[:12]


async def receive(
    chunks: AsyncIterator[bytes], path: Path, announced: int | None, most: int
) -> None:
    """Write an upload as it comes in.

    Args:
        chunks: Its bytes.
        path: Where to.
        announced: How many bytes it says that it has.
        most: How many it may have.

    Raises:
        UploadError: It is too large, incomplete or empty, or the disk is full.
    """
    _check_room(path.parent, announced or 0, most)
    received, checked = 0, _CHECKED_EACH
    with path.open("wb") as file:
        async for chunk in chunks:
            received += len(chunk)
            if received > most or received > checked:
                _check_room(path.parent, received, most)
                checked = received + _CHECKED_EACH
            file.write(chunk)
    if announced is not None and received != announced:
        raise UploadError(400, f"the upload broke off after {received} of {announced} bytes")
    if received == 0:
        raise UploadError(400, "the file is empty")


def with_extension(path: Path) -> Path:
    """Rename a photograph whose name does not say that it is one; what is none stays as it is."""
    kind = format_of_file(path)
    if kind is None or format_of_name(path) is not None:
        return path
    return path.rename(path.with_name(path.name + kind.extensions[0]))


def _check_room(folder: Path, size: int, most: int) -> None:
    if size > most:
        raise UploadError(
            413,
            f"the file has more than {most / 1e6:.0f} MB, which no photograph of the allowed size "
            "has; start the server with a larger --max-pixels",
        )
    if size > shutil.disk_usage(folder).free - _SPARE_DISK:
        raise UploadError(507, f"no room for {size / 1e6:.0f} MB on the disk of {folder.parent}")
