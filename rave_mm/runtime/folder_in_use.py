"""One run at a time in a folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rave_mm.runtime.whole_files import remove_unfinished

_LOCKS = Path("/proc/locks")
_PATIENCE = 1.0  # seconds to look once more, where the holder seems to leave just now
_held: set[int] = set()


def _let_go() -> None:
    """A process that is forked, as a loader's worker, does not hold what its parent holds."""
    for each in _held:
        os.close(each)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


class FolderInUseError(OSError):
    """Another process works in the folder."""


@contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Hold a folder, so that no other process that asks for it gets it; the system lets it go.

    Nothing is written: the lock is the folder's own, and ends with the process however that ends.
    Network folders that know no locks are not held. What a process left half-written that was
    killed is removed.

    Args:
        folder: It exists.

    Raises:
        FolderInUseError: Another process holds it; the message names it.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    _held.add(held)
    try:
        _lock(held, folder)
        remove_unfinished(folder)
        yield
    finally:
        if held in _held:
            _held.remove(held)
            os.close(held)


def _lock(held: int, folder: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            owner = _owner(os.fstat(held).st_ino)
            if owner is not None or time.monotonic() > end:
                named = "another process" if owner is None else f"process {owner}"
                raise FolderInUseError(
                    f"{folder} is in use by {named}; wait for its end, or name another folder"
                ) from None
            time.sleep(0.05)
        except OSError:  # the file system knows no such locks
            return


def _owner(inode: int) -> int | None:
    """The process that took the lock, where the system tells."""
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        # 1: FLOCK  ADVISORY  WRITE 4711 08:01:131074 0 EOF
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
            return int(fields[4])
    return None
