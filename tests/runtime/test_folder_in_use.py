"""A folder is held by one process at a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rave_mm.runtime.folder_in_use import FolderInUseError, only_run_in

# A child, as a loader's worker is one, which outlives its parent for a while.
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


def test_workers_of_a_killed_run_do_not_hold_it(tmp_path: Path) -> None:
    process = holder(tmp_path, lingers=30)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with only_run_in(tmp_path):
        pass


def test_a_worker_that_ends_does_not_free_it(tmp_path: Path) -> None:
    process = holder(tmp_path, lingers=0)
    try:
        time.sleep(0.3)
        with pytest.raises(FolderInUseError), only_run_in(tmp_path):
            pass
    finally:
        process.kill()
        process.wait()


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "deep").mkdir()
    left = tmp_path / "deep" / f".iter_1.pth.{ended.pid}"
    kept = [tmp_path / f".iter_1.pth.{os.getpid()}", tmp_path / ".hidden", tmp_path / "iter_1.pth"]
    for path in (left, *kept):
        path.touch()
    with only_run_in(tmp_path):
        assert not left.exists() and all(path.exists() for path in kept)


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
