"""A folder is held by one process at a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rave_mm.runtime.folder_in_use import FolderInUseError, only_run_in

# A child that shares the lock, as a loader's worker does, and outlives its parent for a while.
HOLD = """
import os, sys, time
from pathlib import Path
from rave_mm.runtime.folder_in_use import only_run_in
with only_run_in(Path(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(float(sys.argv[2]))
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path, lingers: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD, str(folder), str(lingers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_the_second_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    process = holder(tmp_path, lingers=0)
    try:
        with (
            pytest.raises(FolderInUseError, match=f"{tmp_path} is in use by process {process.pid}"),
            only_run_in(tmp_path),
        ):
            pass
    finally:
        process.kill()
        process.wait()
    with only_run_in(tmp_path):  # it is free again, though nobody tidied up
        assert list(tmp_path.iterdir()) == []


def test_workers_of_a_killed_run_are_waited_for(tmp_path: Path) -> None:
    process = holder(tmp_path, lingers=1.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    started = time.monotonic()
    with only_run_in(tmp_path):
        assert time.monotonic() - started < 10


def test_it_is_free_after_use(tmp_path: Path) -> None:
    for _ in range(2):
        with only_run_in(tmp_path):
            pass


def test_where_there_are_no_locks_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(file: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("rave_mm.runtime.folder_in_use.fcntl.flock", unsupported)
    with only_run_in(tmp_path):
        pass
