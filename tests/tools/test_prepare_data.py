"""The command line: what it makes, prints and refuses."""

from pathlib import Path

import pytest

from tests.photo_sets.packaged import contents, list_three_photographs
from tests.tools.loading import load_tool


@pytest.fixture
def tool():
    return load_tool("prepare_data")


def test_making_and_checking(tool, tmp_path, monkeypatch, capsys):
    list_three_photographs(tmp_path, monkeypatch)
    out = tmp_path / "data" / "demo"
    assert tool.main(["demo", "--out", str(out), "--size", "32", "--variants", "2"]) == 0
    assert "train/backlit: 4 photographs" in capsys.readouterr().out
    before = contents(out)
    assert tool.main(["demo", "--out", str(out), "--size", "32", "--variants", "2"]) == 0
    assert contents(out) == before
    assert tool.main(["lighting-clip", "--out", str(tmp_path / "clip")]) == 0
    assert "test: 1 photographs" in capsys.readouterr().out
    folders = [str(out / "train/backlit"), str(out / "train/well-lit")]
    assert tool.main(["check", *folders]) == 0
    assert "pairs: 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [["demo", "--out", "mine"], ["lighting-clip", "--out", "mine"], ["check", "mine", "nowhere"]],
)
def test_what_is_wrong_is_told_in_the_exit_status(tool, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/holiday.jpg").touch()
    assert tool.main(command) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert Path("mine/holiday.jpg").exists()


def test_help_and_bad_numbers(tool, capsys):
    with pytest.raises(SystemExit) as stopped:
        tool.main(["demo", "--help"])
    assert stopped.value.code == 0
    assert "long side in pixels (default: 384)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tool.main(["demo", "--size", "0"])
    assert "got '0', expected a whole number, 1 or more" in capsys.readouterr().err
