"""A set is complete or not there, and what is somebody else's is left alone."""

import pytest

from rave_mm.datasets.photo_sets import PreparationError, sets
from rave_mm.datasets.photo_sets.sets import make_demo
from tests.datasets.photo_sets.packaged import contents


def test_a_complete_set_is_left_alone_unless_forced(listed, tmp_path, capsys):
    out = tmp_path / "demo"
    assert make_demo(out, size=32)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert not make_demo(out, size=32)
    assert "is complete (--force makes it anew)" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before
    assert make_demo(out, size=32, force=True)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} != before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_other_parameters_and_damage_are_noticed(listed, tmp_path, capsys):
    out = tmp_path / "demo"
    make_demo(out, size=32)
    assert make_demo(out, size=16)
    assert "made with other size" in capsys.readouterr().out
    (out / "train/backlit/a_0.png").write_bytes(b"")
    (out / "train/backlit/a_1.png").unlink()
    assert make_demo(out, size=16)
    assert "2 files are missing or changed, as train/backlit/a_0.png" in capsys.readouterr().out
    assert not make_demo(out, size=16)


def test_an_interrupted_run_leaves_nothing_or_the_old_set(listed, tmp_path, monkeypatch):
    out = tmp_path / "demo"

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sets.synthetic_backlight, "synthetic_backlight", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_demo(out, size=32)
        assert not out.exists()
    make_demo(out, size=32)
    before = contents(out)
    with monkeypatch.context() as patch:
        patch.setattr(sets.synthetic_backlight, "synthetic_backlight", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_demo(out, size=16)
    assert contents(out) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("force", [False, True])
def test_files_of_others_are_never_removed(listed, tmp_path, force):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "holiday.jpg").touch()
    with pytest.raises(PreparationError, match="was not made by this tool; choose another --out"):
        make_demo(out, force=force)
    make_demo(tmp_path / "demo", size=32)
    (tmp_path / "demo/train/holiday.jpg").touch()
    with pytest.raises(PreparationError, match="has 1 files of others:\n  train/holiday.jpg\n"):
        make_demo(tmp_path / "demo", size=32, force=force)
    assert (tmp_path / "demo/train/holiday.jpg").exists()
