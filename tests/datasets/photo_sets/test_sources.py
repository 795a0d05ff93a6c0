"""Where the photographs come from, and what is said of one that is not there."""

import base64
import hashlib
import subprocess
import tarfile
import urllib.error

import numpy as np
import pytest

from rave_mm.datasets.photo_sets import PreparationError, sources
from rave_mm.datasets.photo_sets.enhancer_set import make_enhancer
from rave_mm.datasets.photo_sets.sets import make_demo, make_lighting_clip
from rave_mm.datasets.photo_sets.sources import (
    chosen_photographs,
    package_folders,
    photograph_file,
)
from rave_mm.photos.writing import write_photo
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
        ({"demo": "train"}, {"demo": "test"}, "train of the demo and test of the demo"),
        ({"clip": "train"}, {"clip": "test"}, "train of the clip and test of the clip"),
        ({"clip": "train"}, {"demo": "test"}, "train of the clip and test of the demo"),
        ({"enhancer": "train"}, {"enhancer": "val"}, "train of the enhancer and val of the enh"),
        ({"enhancer": "train"}, {"enhancer": "test"}, "train of the enhancer and test of the e"),
        ({"enhancer": "val"}, {"enhancer": "test"}, "val of the enhancer and test of the enha"),
        ({"enhancer": "train"}, {"demo": "test"}, "train of the enhancer and test of the demo"),
    ],
)
def test_a_scene_is_never_in_training_and_testing(listed, tmp_path, first, second, message):
    photos = [photograph("a", scene="park", **first), photograph("b", scene="park", **second)]
    listed.photographs[:] = photos
    listed.save()
    with pytest.raises(PreparationError, match=f"{message}.*: park"):
        make_demo(tmp_path / "demo")


def test_the_list_that_is_shipped():
    """Its scenes are apart, its names are unique, and the demo needs pip packages only."""
    for purpose, splits in (
        ("demo", {"train", "test"}),
        ("clip", {"train", "test"}),
        ("enhancer", {"train", "val", "val-real", "test", "test-real"}),
    ):
        chosen = chosen_photographs(purpose)
        assert {entry["split"] for entry in chosen} == splits
        assert len({entry["id"] for entry in chosen}) == len(chosen)
        assert all(entry["package"]["licence"] for entry in chosen)
    assert {entry["package"]["kind"] for entry in chosen_photographs("demo")} == {"pypi"}
    packages = {entry["package"]["name"] for entry in chosen_photographs("enhancer")}
    assert not packages & {"material-kit", "now-ui-kit", "paper-kit-2", "gcompris-qt-data"}


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


def npm_package(listed, folder, integrity=None):
    """List a photograph of npm, and write its package's file as `npm pack` does."""
    (folder / "package").mkdir(parents=True)
    write_photo(folder / "package/hill.png", np.full((40, 64, 3), 90, np.uint8))
    file = folder / "site-photos-1.2.0.tgz"
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder / "package", "package")
    found = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    listed.packages["@site/photos"] = {
        "kind": "npm",
        "version": "1.2.0",
        "integrity": integrity or f"sha512-{found}",
        "licence": "MIT",
        "credit": "somebody",
    }
    listed.photographs.append(photograph("hill", "@site/photos", enhancer="train"))
    listed.save()
    return file


def test_photographs_of_npm(listed, tmp_path):
    npm_package(listed, tmp_path / "npm")
    chosen = chosen_photographs("enhancer")
    with package_folders(chosen, tmp_path / "npm") as places:
        assert photograph_file(chosen[-1], places).name == "hill.png"


def test_npm_is_asked_for_the_packages_file(listed, tmp_path, monkeypatch):
    file = npm_package(listed, tmp_path / "npm")
    asked = []

    def answer(address, timeout):
        asked.append(address)
        return file.open("rb")

    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://mirror.example/")
    monkeypatch.setattr(sources.urllib.request, "urlopen", answer)
    with package_folders(chosen_photographs("enhancer")) as places:
        assert (places["@site/photos"] / "hill.png").is_file()
    assert asked == ["https://mirror.example/@site/photos/-/photos-1.2.0.tgz"]


def test_another_file_of_npm_is_refused(listed, tmp_path):
    npm_package(listed, tmp_path / "npm", integrity="sha512-AAAA")
    message = "@site/photos 1.2.0 of npm is not the file that .* names: its sha512 is another"
    with pytest.raises(PreparationError, match=message):
        make_enhancer(tmp_path / "enhancer", tmp_path / "npm")
    assert not (tmp_path / "enhancer").exists()


def test_a_package_of_npm_that_cannot_be_had(listed, tmp_path, monkeypatch):
    npm_package(listed, tmp_path / "npm").unlink()
    with pytest.raises(PreparationError, match=r"cannot get @site/photos 1\.2\.0 of npm.*npm pack"):
        make_enhancer(tmp_path / "enhancer", tmp_path / "npm")

    def offline(address, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(sources.urllib.request, "urlopen", offline)
    with pytest.raises(
        PreparationError, match="cannot get @site/photos 1.2.0 of npm: .*no network"
    ):
        make_enhancer(tmp_path / "enhancer")
