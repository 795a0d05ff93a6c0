"""Whether the end of a photograph's file is there: copies and downloads that broke off lack it."""

from pathlib import Path

from rave_mm.photos.formats import JPEG, PNG, WEBP, Format

_TAIL = 2**16
_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


def seems_cut_short(path: Path, kind: Format | None) -> bool:
    """Look at the ends of a file, which takes no time.

    Args:
        path: The file.
        kind: Its format.

    Returns:
        True for a JPEG whose last 64 KiB have no end of an image after their last scan, a PNG whose
        last 64 KiB have no end chunk, and a WebP that is shorter than it says. What some programs
        append to a whole file can look so as well: decode it to be sure. False for other formats.

    Raises:
        OSError: The file cannot be read.
    """
    if kind not in (JPEG, PNG, WEBP):
        return False
    with path.open("rb") as file:
        if kind is WEBP:
            size = int.from_bytes(file.read(8)[4:], "little") + 8
            return path.stat().st_size < size
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    if kind is PNG:
        return b"IEND" not in tail
    return tail.rfind(_END_OF_IMAGE) <= tail.rfind(_SCAN)
