"""tools/enhance.py as a process: stopped by a signal, several that share a folder, any name."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from rave_mm.inference.photo_outcome import Outcome
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.tools.enhance.pictures import dark
from tests.tools.loading import TOOLS

TOOL = TOOLS / "enhance.py"


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_goes_on(
    enhance: Callable,
    tool: ModuleType,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: signal.Signals,
) -> None:
    out = tmp_path / "out"
    append, before = tool.append_report, signal.getsignal(signal.SIGTERM)
    # Where tests run in the background, their parent has switched Ctrl-C off.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)

    def asked_to_stop(path: Path, outcome: Outcome) -> None:
        append(path, outcome)
        os.kill(os.getpid(), asked)

    monkeypatch.setattr(tool, "append_report", asked_to_stop)
    try:
        stopped = enhance(photos, "--out", out)
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)
    assert stopped.status == 128 + asked
    assert "1 done, 0 skipped, 0 failed" in stopped.out
    assert "stopped with 2 to go; the same command does these" in stopped.out
    monkeypatch.setattr(tool, "append_report", append)
    assert enhance(photos, "--out", out).status == 0
    assert not list(out.rglob(".*"))
    results = sorted(path.name for path in out.rglob("*") if path.suffix in (".png", ".jpg"))
    assert results == ["a.png", "b.jpg", "c.png"]
    for name in ("a.png", "b.jpg", "trip/c.png"):
        assert read_photo(out / name).shape == read_photo(photos / name).shape


@pytest.mark.slow
def test_names_in_no_encoding(checkpoint: Path, tmp_path: Path) -> None:
    """Latin-1 in a file system of UTF-8, a line break, and what libvips takes for options."""
    (tmp_path / "in").mkdir()
    names = [b"caf\xe9.png", b"two\nlines.png", b"a[page=1].png"]
    for name in names:
        write_photo(tmp_path / "in" / os.fsdecode(name), dark(20, 30))
    (tmp_path / "in" / os.fsdecode(b"caf\xe8.txt")).touch()
    out = tmp_path / "out"
    command = [
        sys.executable, str(TOOL), str(tmp_path / "in"), "--out", str(out),
        "--checkpoint", str(checkpoint), "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True)
    assert b"3 done, 0 skipped, 0 failed" in done.stdout
    assert b"caf\xe8.txt: files in .txt are not read" in done.stdout
    found = sorted(os.fsencode(path.name) for path in out.iterdir())
    assert found == sorted([*names, b"enhance.csv"])
    assert b"caf\xe9.png" in (out / "enhance.csv").read_bytes()


@pytest.mark.slow
def test_two_processes_share_a_folder(photos: Path, checkpoint: Path, tmp_path: Path) -> None:
    """Each photo once; a failure in one process does not end the other."""
    (photos / "a0.jpg").write_text("no photo")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(TOOL), str(photos), "--out", str(tmp_path / "out"), "--checkpoint", str(checkpoint),
        "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stdout.count("3 done, 0 skipped, 1 failed") == 1
    with (tmp_path / "out/enhance.csv").open() as file:
        names = [Path(row["photo"]).name for row in csv.DictReader(file)]
    assert sorted(names) == ["a.png", "a0.jpg", "b.jpg", "c.png"]
