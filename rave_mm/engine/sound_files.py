"""What a run writes: whole files, and no log that ends unnoticed."""

import logging
import sys
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from rave_mm.runtime.whole_files import replacing

_superseded: set[Path] = set()


class WholeFilesBackend(LocalBackend):
    """MMEngine's way of writing files, but that a file has its name only once it is whole.

    MMEngine removes the oldest checkpoint, or the best one so far, before it writes the next, and
    notes the next one's name at last. Here it goes when all that is done, or the last one might be
    lost: :func:`remove_superseded`.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes."""
        with replacing(Path(filepath)) as unfinished:
            unfinished.write_bytes(obj)
        _superseded.discard(Path(filepath))

    def remove(self, filepath: str | Path) -> None:
        """Note a file for :func:`remove_superseded`."""
        _superseded.add(Path(filepath))

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write text."""
        with replacing(Path(filepath)) as unfinished:
            unfinished.write_text(obj, encoding=encoding)


def remove_superseded() -> None:
    """Remove the files in whose place others have been written."""
    while _superseded:
        _superseded.pop().unlink(missing_ok=True)


def write_soundly() -> None:
    """In this process, let MMEngine write checkpoints that are whole or not there.

    And let a log that cannot be written raise an OSError that names it. Python would print a
    traceback for every line, and go on.
    """
    register_backend("local", WholeFilesBackend, force=True, prefixes="")
    logging.FileHandler.handleError = _refuse  # type: ignore[assignment,method-assign]


def _refuse(handler: logging.Handler, record: logging.LogRecord) -> None:
    error = sys.exc_info()[1]
    if isinstance(error, OSError) and isinstance(handler, logging.FileHandler):
        raise OSError(error.errno, error.strerror, handler.baseFilename) from error
    logging.Handler.handleError(handler, record)
