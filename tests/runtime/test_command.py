"""A command is named, in its help and when it stops, as whoever started it typed it."""

import os
import subprocess
import sys

import pytest

from rave_mm.runtime.command import as_typed, command_name, stop

HELP = "Train: `python tools/train.py CONFIG`, after tools/prepare_data.py; see docs/data.md."


@pytest.mark.parametrize(
    ("started", "name", "text"),
    [
        ("/clone/tools/train.py", "tools/train.py", HELP),
        (
            "rave-mm train",
            "rave-mm train",
            "Train: `rave-mm train CONFIG`, after rave-mm prepare-data; see docs/data.md.",
        ),
    ],
)
def test_both_ways_to_start(
    monkeypatch: pytest.MonkeyPatch, started: str, name: str, text: str
) -> None:
    monkeypatch.setattr(sys, "argv", [started, "CONFIG"])
    assert (command_name(), as_typed(HELP)) == (name, text)
    with pytest.raises(SystemExit, match=f"^{name}: no such config$"):
        stop(FileNotFoundError("no such config"))


def test_no_help_of_the_console_command_names_a_file_of_a_clone() -> None:
    for tool in ("enhance", "train", "compare-guides", "prepare-data", "demo"):
        done = subprocess.run(
            [sys.executable, "-m", "rave_mm", tool, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"usage: rave-mm {tool}" in done.stdout and "tools/" not in done.stdout, tool


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """As in `rave-mm --completion | head -1`."""
    program = "import sys; from rave_mm.__main__ import run; sys.argv = sys.argv[1:]; run()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program, "rave-mm", "--completion"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
