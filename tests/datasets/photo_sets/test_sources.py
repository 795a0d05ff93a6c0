"""Where the photographs come from, and what is said of one that is not there."""

import subprocess

import pytest

from rave_mm.datasets.photo_sets import PreparationError, sources
from rave_mm.datasets.photo_sets.sets import make_demo, make_lighting_clip
from rave_mm.datasets.photo_sets.sources import chosen_photographs
from tests.datasets.photo_sets.packaged import photograph


def test_a_missing_package_names_the_pip_install(listed, tmp_path):
    listed.packages["fake"]["module"] = "not_there"
    listed.save()
    with pytest.raises(PreparationError, match="-m pip install 'fake-photos==1.0'"):
        make_demo(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_a_photograph_that_its_package_lacks_is_named(listed, tmp_path):
    listed.photographs[1]["file"] = "images/b.png"
    listed.save()
    with pytest.raises(PreparationError, match="fake has no images/b.png"):
        make_demo(tmp_path / "demo")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"demo": "train"}, {"demo": "test"}, "train the demo and test the demo"),
        ({"clip": "train"}, {"clip": "test"}, "train the clip and test the clip"),
        ({"clip": "train"}, {"demo": "test"}, "train the clip and test the demo"),
    ],
)
def test_a_scene_is_never_in_training_and_testing(listed, tmp_path, first, second, message):
    photos = [photograph("a", scene="park", **first), photograph("b", scene="park", **second)]
    listed.photographs[:] = photos
    listed.save()
    with pytest.raises(PreparationError, match=f"{message}: park"):
        make_demo(tmp_path / "demo")


def test_the_list_that_is_shipped():
    """Its scenes are apart, its names are unique, and the demo needs pip packages only."""
    for purpose, splits in (("demo", {"train", "test"}), ("clip", {"train", "test"})):
        chosen = chosen_photographs(purpose)
        assert {entry["split"] for entry in chosen} == splits
        assert len({entry["id"] for entry in chosen}) == len(chosen)
        assert all(entry["package"]["licence"] for entry in chosen)
    assert {entry["package"]["kind"] for entry in chosen_photographs("demo")} == {"pypi"}


def test_lighting_clip_says_what_debian_lacks(listed, tmp_path, monkeypatch):
    listed.add_debian_photograph()
    monkeypatch.setattr(sources.shutil, "which", lambda _: None)
    with pytest.raises(PreparationError, match="apt-get is not on this machine"):
        make_lighting_clip(tmp_path / "clip")
    monkeypatch.setattr(sources.shutil, "which", lambda name: name)
    with pytest.raises(PreparationError, match=r"expected one wallpapers_\*.deb"):
        make_lighting_clip(tmp_path / "clip", tmp_path)


def test_a_failing_download_shows_what_apt_said(listed, tmp_path, monkeypatch):
    listed.add_debian_photograph()
    monkeypatch.setattr(sources.shutil, "which", lambda name: name)
    failed = subprocess.CompletedProcess([], 100, stdout="", stderr="E: Unable to locate package")
    monkeypatch.setattr(sources.subprocess, "run", lambda *_, **__: failed)
    failure = "apt-get download wallpapers failed: E: Unable to locate package\n.*apt-get update"
    with pytest.raises(PreparationError, match=failure):
        make_lighting_clip(tmp_path / "clip")
