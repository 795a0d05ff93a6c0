"""One run at a time in a folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCKS = Path("/proc/locks")
_LINGERING = 20.0  # seconds that a killed process's workers, who share its lock, may take to end


class FolderInUseError(OSError):
    """Another process works in the folder."""


@contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Hold a folder, so that no other process that asks for it gets it; the system lets it go.

    Nothing is written: the lock is the folder's own, and ends with the process however that ends.
    Network folders that know no locks are not held.

    Args:
        folder: It exists.

    Raises:
        FolderInUseError: Another process holds it; the message names it.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(held, folder)
        yield
    finally:
        os.close(held)


def _lock(held: int, folder: Path) -> None:
    end = time.monotonic() + _LINGERING
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            owner = _owner(os.fstat(held).st_ino)
            if owner is None or _runs(owner) or time.monotonic() > end:
                named = "another process" if owner is None else f"process {owner}"
                raise FolderInUseError(
                    f"{folder} is in use by {named}; wait for its end, or name another folder"
                ) from None
            time.sleep(0.2)
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


def _runs(process: int) -> bool:
    return Path(f"/proc/{process}").exists()
