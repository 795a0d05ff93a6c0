"""The sets are complete or not there, the same each time, and errors say what to do."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rave_mm.datasets.backlit_pairs import BacklitPairs
from rave_mm.image_files import read_photo, write_photo
from rave_mm.photo_folders import list_photos

TOOL = Path(__file__).parents[2] / "tools" / "prepare_data.py"


def photograph(name, package="fake", **splits):
    scene = splits.pop("scene", name)
    uses = {"demo": None, "clip": None, **splits}
    return {"id": name, "package": package, "file": f"{name}.png", "scene": scene, **uses}


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("prepare_data", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def listed(tool, tmp_path, monkeypatch):
    """A list of three photographs of a pip package, as data that a test may change."""
    package = tmp_path / "site" / "fakephotos"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    rng = np.random.default_rng(0)
    for name, dtype in (("a", np.uint8), ("b", np.uint8), ("c", np.uint16)):
        top = np.iinfo(dtype).max
        write_photo(package / f"{name}.png", rng.integers(0, top, (40, 64, 3), dtype=dtype))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(tool, "PHOTOGRAPHS", tmp_path / "photographs.json")
    pip = {"kind": "pypi", "requirement": "fake-photos==1.0", "module": "fakephotos"}
    data = {
        "packages": {"fake": {**pip, "licence": "CC0", "credit": "nobody"}},
        "photographs": [
            photograph("a", demo="train", clip="train"),
            photograph("b", demo="train", clip="test"),
            photograph("c", demo="test"),
        ],
    }

    def save():
        (tmp_path / "photographs.json").write_text(json.dumps(data))

    save()
    return {**data, "save": save}


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_demo_set_has_baids_shape(tool, listed, tmp_path):
    out = tmp_path / "data" / "demo"
    assert tool.main(["demo", "--out", str(out), "--size", "32", "--variants", "2"]) == 0
    assert sorted(contents(out)) == [
        "manifest.json",
        "test/resize_gt/c.png",
        "test/resize_input/c.png",
        *(f"train/backlit/{name}.png" for name in ("a_0", "a_1", "b_0", "b_1")),
        *(f"train/well-lit/{name}.png" for name in ("a_0", "a_1", "b_0", "b_1")),
    ]
    train = BacklitPairs(backlit="train/backlit", well_lit="train/well-lit", data_root=str(out))
    assert len(train) == 4
    backlit, well_lit = (read_photo(train[0][key]) for key in ("img_path", "gt_path"))
    assert well_lit.shape == (20, 32, 3)
    assert backlit.mean() < well_lit.mean()
    assert (read_photo(train[1]["img_path"]) != backlit).any()
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["parameters"]["size"] == 32
    assert manifest["photographs"][0]["licence"] == "CC0"
    assert len(manifest["files"]) == 10


def test_two_runs_give_the_same_bytes_and_another_seed_others(tool, listed, tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        tool.make_demo(tmp_path / name, size=32, variants=1, seed=seed)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert one["train/backlit/a.png"] != three["train/backlit/a.png"]
    assert one["train/well-lit/a.png"] == three["train/well-lit/a.png"]


def test_a_photographs_backlight_does_not_depend_on_the_list(tool, listed, tmp_path):
    tool.make_demo(tmp_path / "one", size=32)
    del listed["photographs"][0]
    listed["save"]()
    tool.make_demo(tmp_path / "two", size=32)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one["train/backlit/b_1.png"] == two["train/backlit/b_1.png"]


def test_a_complete_set_is_left_alone_unless_forced(tool, listed, tmp_path, capsys):
    out = tmp_path / "demo"
    assert tool.make_demo(out, size=32)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert not tool.make_demo(out, size=32)
    assert "is complete (--force makes it anew)" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before
    assert tool.make_demo(out, size=32, force=True)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} != before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_other_parameters_and_damage_are_noticed(tool, listed, tmp_path, capsys):
    out = tmp_path / "demo"
    tool.make_demo(out, size=32)
    assert tool.make_demo(out, size=16)
    assert "made with other size" in capsys.readouterr().out
    (out / "train/backlit/a_0.png").write_bytes(b"")
    (out / "train/backlit/a_1.png").unlink()
    assert tool.make_demo(out, size=16)
    assert "2 files are missing or changed, as train/backlit/a_0.png" in capsys.readouterr().out
    assert not tool.make_demo(out, size=16)


def test_an_interrupted_run_leaves_nothing_or_the_old_set(tool, listed, tmp_path, monkeypatch):
    out = tmp_path / "demo"

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tool.backlight, "synthetic_backlight", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tool.make_demo(out, size=32)
        assert not out.exists()
    tool.make_demo(out, size=32)
    before = contents(out)
    with monkeypatch.context() as patch:
        patch.setattr(tool.backlight, "synthetic_backlight", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tool.make_demo(out, size=16)
    assert contents(out) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_files_of_others_are_never_removed(tool, listed, tmp_path, capsys, force):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "holiday.jpg").touch()
    assert tool.main(["demo", "--out", str(out), *force]) == 1
    assert "was not made by this tool; choose another --out" in capsys.readouterr().err
    tool.make_demo(tmp_path / "demo", size=32)
    (tmp_path / "demo/train/holiday.jpg").touch()
    assert tool.main(["demo", "--out", str(tmp_path / "demo"), *force]) == 1
    assert "has 1 files of others:\n  train/holiday.jpg" in capsys.readouterr().err
    assert (tmp_path / "demo/train/holiday.jpg").exists()


def test_a_missing_package_names_the_pip_install(tool, listed, tmp_path, capsys):
    listed["packages"]["fake"]["module"] = "not_there"
    listed["save"]()
    assert tool.main(["demo", "--out", str(tmp_path / "demo")]) == 1
    assert "-m pip install 'fake-photos==1.0'" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_a_photograph_that_its_package_lacks_is_named(tool, listed, tmp_path, capsys):
    listed["photographs"][1]["file"] = "images/b.png"
    listed["save"]()
    assert tool.main(["demo", "--out", str(tmp_path / "demo")]) == 1
    assert "fake has no images/b.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"demo": "train"}, {"demo": "test"}, "train the demo and test the demo"),
        ({"clip": "train"}, {"clip": "test"}, "train the clip and test the clip"),
        ({"clip": "train"}, {"demo": "test"}, "train the clip and test the demo"),
    ],
)
def test_a_scene_is_never_in_training_and_testing(tool, listed, tmp_path, first, second, message):
    photos = [photograph("a", scene="park", **first), photograph("b", scene="park", **second)]
    listed["photographs"][:] = photos
    listed["save"]()
    with pytest.raises(tool.PreparationError, match=f"{message}: park"):
        tool.make_demo(tmp_path / "demo")


def test_the_list_that_is_shipped(tool):
    """Its scenes are apart, its names are unique, and the demo needs pip packages only."""
    for purpose, splits in (("demo", {"train", "test"}), ("clip", {"train", "test"})):
        chosen = tool._chosen(purpose)
        assert {entry["split"] for entry in chosen} == splits
        assert len({entry["id"] for entry in chosen}) == len(chosen)
        assert all(entry["package"]["licence"] for entry in chosen)
    assert {entry["package"]["kind"] for entry in tool._chosen("demo")} == {"pypi"}


def add_debian_photograph(listed):
    listed["packages"]["wallpapers"] = {"kind": "debian", "licence": "GPL", "credit": "somebody"}
    entry = photograph("hill", "wallpapers", clip="train")
    listed["photographs"].append({**entry, "file": "usr/share/hill.png"})
    listed["save"]()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's dpkg-deb")
def test_lighting_clip_from_a_folder_of_debs(tool, listed, tmp_path):
    add_debian_photograph(listed)
    root = tmp_path / "root"
    (root / "usr/share").mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    control = "Package: wallpapers\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
    (root / "DEBIAN/control").write_text(control)
    write_photo(root / "usr/share/hill.png", np.full((640, 800, 3), 90, np.uint8))
    (tmp_path / "debs").mkdir()
    command = ["dpkg-deb", "--build", root, tmp_path / "debs/wallpapers_1_all.deb"]
    subprocess.run(command, check=True, capture_output=True)

    out = tmp_path / "clip"
    assert tool.main(["lighting-clip", "--out", str(out), "--debs", str(tmp_path / "debs")]) == 0
    assert [path.name for path in list_photos(out / "train")] == ["a.png", "hill.png"]
    assert [path.name for path in list_photos(out / "test")] == ["b.png"]
    assert read_photo(out / "train/hill.png").shape == (320, 400, 3)
    assert read_photo(out / "train/a.png").shape == (40, 64, 3)  # small ones are not enlarged


def test_lighting_clip_says_what_debian_lacks(tool, listed, tmp_path, monkeypatch, capsys):
    add_debian_photograph(listed)
    monkeypatch.setattr(tool.shutil, "which", lambda _: None)
    assert tool.main(["lighting-clip", "--out", str(tmp_path / "clip")]) == 1
    assert "apt-get is not on this machine" in capsys.readouterr().err
    monkeypatch.setattr(tool.shutil, "which", lambda name: name)
    assert (
        tool.main(["lighting-clip", "--out", str(tmp_path / "clip"), "--debs", str(tmp_path)]) == 1
    )
    assert "expected one wallpapers_*.deb" in capsys.readouterr().err


def test_a_failing_download_shows_what_apt_said(tool, listed, tmp_path, monkeypatch, capsys):
    add_debian_photograph(listed)
    monkeypatch.setattr(tool.shutil, "which", lambda name: name)
    failed = subprocess.CompletedProcess([], 100, stdout="", stderr="E: Unable to locate package")
    monkeypatch.setattr(tool.subprocess, "run", lambda *_, **__: failed)
    assert tool.main(["lighting-clip", "--out", str(tmp_path / "clip")]) == 1
    error = capsys.readouterr().err
    assert "apt-get download wallpapers failed: E: Unable to locate package" in error
    assert "Try: apt-get update" in error


@pytest.fixture
def folders(tmp_path):
    """Two paired photos and a numbered duplicate."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    for folder, names in (("low", ("1", "2", "2(2)")), ("high", ("1", "2"))):
        (tmp_path / folder).mkdir()
        for name in names:
            write_photo(tmp_path / folder / f"{name}.png", noise)
    return [str(tmp_path / "low"), str(tmp_path / "high")]


def test_check_counts_what_training_would_use(tool, folders, capsys):
    assert tool.main(["check", *folders]) == 0
    printed = capsys.readouterr().out
    assert "pairs: 2\nduplicates left out: 1\n" in printed
    assert f"{folders[0]}: 2 photographs, 6 to 8 pixels a side, 0 of 16 bits" in printed
    assert tool.main(["check", *folders, "--unpaired"]) == 0
    assert f"{folders[0]}: 3 photographs" in capsys.readouterr().out


def test_check_names_what_training_would_stop_at(tool, folders, capsys):
    whole = Path(folders[1], "2.png").read_bytes()
    Path(folders[1], "2.png").write_bytes(whole[:-60])
    assert tool.main(["check", *folders]) == 1
    error = capsys.readouterr().err
    assert "1 photographs cannot be read" in error and "2.png" in error
    Path(folders[1], "1.png").unlink()
    assert tool.main(["check", *folders]) == 1
    assert "1 have no partner" in capsys.readouterr().err
    assert tool.main(["check", folders[0], "nowhere"]) == 1
    assert "no such folder: nowhere" in capsys.readouterr().err


def test_help_and_bad_numbers(tool, capsys):
    with pytest.raises(SystemExit) as stopped:
        tool.main(["demo", "--help"])
    assert stopped.value.code == 0
    assert "long side in pixels (default: 384)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tool.main(["demo", "--size", "0"])
    assert "got '0', expected a whole number, 1 or more" in capsys.readouterr().err
