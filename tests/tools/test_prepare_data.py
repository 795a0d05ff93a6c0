"""The command line: what it makes, prints and refuses."""

import re
import sys
from pathlib import Path

import pytest

from rave_mm.datasets.photo_sets import sources
from tests.datasets.photo_sets.packaged import contents, list_three_photographs
from tests.tools.loading import load_tool


@pytest.fixture
def tool():
    return load_tool("prepare_data")


def test_making_and_checking(tool, tmp_path, monkeypatch, capsys):
    list_three_photographs(tmp_path, monkeypatch)
    out = tmp_path / "data" / "demo"
    make = ["demo", "--out", str(out), "--size", "32", "--variants", "2"]
    tool.main(tool.parse_arguments(make))
    assert "train/backlit: 4 photographs" in capsys.readouterr().out
    before = contents(out)
    tool.main(tool.parse_arguments(make))
    assert "is complete (--force makes it anew)" in capsys.readouterr().out
    tool.main(tool.parse_arguments([*make, "--force"]))
    assert "train/backlit: 4 photographs" in capsys.readouterr().out
    assert contents(out) == before
    tool.main(tool.parse_arguments([*make, "--seed", "1"]))
    assert contents(out)["train/backlit/a_0.png"] != before["train/backlit/a_0.png"]
    capsys.readouterr()
    folders = [str(out / "train/backlit"), str(out / "train/well-lit")]
    tool.main(tool.parse_arguments(["check", *folders]))
    assert "pairs: 4" in capsys.readouterr().out
    Path(folders[1], "a_0.png").unlink()
    with pytest.raises(SystemExit, match="a_0.png"):
        tool.main(tool.parse_arguments(["check", *folders]))
    tool.main(tool.parse_arguments(["check", *folders, "--unpaired"]))
    assert "3 photographs" in capsys.readouterr().out


def test_the_photographs_behind_the_bundled_clip(tool, tmp_path, monkeypatch, capsys):
    listed = list_three_photographs(tmp_path, monkeypatch)
    make = ["lighting-clip", "--out", str(tmp_path / "clip")]
    tool.main(tool.parse_arguments(make))
    assert "test: 1 photographs" in capsys.readouterr().out
    listed.add_debian_photograph()
    monkeypatch.setattr(sources.shutil, "which", lambda name: name)
    wanted = re.escape(f"expected one wallpapers_*.deb in {tmp_path / 'site'}")
    with pytest.raises(SystemExit, match=wanted):
        tool.main(tool.parse_arguments([*make, "--packages", str(tmp_path / "site")]))


@pytest.mark.parametrize(
    "command",
    [["demo", "--out", "mine"], ["lighting-clip", "--out", "mine"], ["check", "mine", "nowhere"]],
)
def test_what_is_wrong_ends_it(tool, tmp_path, monkeypatch, command):
    monkeypatch.setattr(sys, "argv", ["prepare_data.py"])
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/holiday.jpg").touch()
    with pytest.raises(SystemExit, match="^tools/prepare_data.py: "):
        tool.main(tool.parse_arguments(command))
    assert Path("mine/holiday.jpg").exists()


def test_help_and_bad_numbers(tool, capsys):
    with pytest.raises(SystemExit) as stopped:
        tool.parse_arguments(["demo", "--help"])
    assert stopped.value.code == 0
    assert "long side in pixels (default: 384)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tool.parse_arguments(["demo", "--size", "0"])
    assert "got '0', expected a whole number, 1 or more" in capsys.readouterr().err
