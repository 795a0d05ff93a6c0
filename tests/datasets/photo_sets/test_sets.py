"""The same photographs and parameters give the same set."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from rave_mm.datasets.backlit_pairs import BacklitPairs
from rave_mm.datasets.photo_sets.sets import make_demo, make_lighting_clip
from rave_mm.photos.folders import list_photos
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.datasets.photo_sets.packaged import contents


def test_the_demo_set_has_baids_shape(listed, tmp_path):
    out = tmp_path / "data" / "demo"
    assert make_demo(out, size=32, variants=2)
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


def test_two_runs_give_the_same_bytes_and_another_seed_others(listed, tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        make_demo(tmp_path / name, size=32, variants=1, seed=seed)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert one["train/backlit/a.png"] != three["train/backlit/a.png"]
    assert one["train/well-lit/a.png"] == three["train/well-lit/a.png"]


def test_a_photographs_backlight_does_not_depend_on_the_list(listed, tmp_path):
    make_demo(tmp_path / "one", size=32)
    del listed.photographs[0]
    listed.save()
    make_demo(tmp_path / "two", size=32)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one["train/backlit/b_1.png"] == two["train/backlit/b_1.png"]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's dpkg-deb")
def test_lighting_clip_from_a_folder_of_debs(listed, tmp_path):
    listed.add_debian_photograph()
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
    assert make_lighting_clip(out, tmp_path / "debs")
    assert [path.name for path in list_photos(out / "train")] == ["a.png", "hill.png"]
    assert [path.name for path in list_photos(out / "test")] == ["b.png"]
    assert read_photo(out / "train/hill.png").shape == (320, 400, 3)
    assert read_photo(out / "train/a.png").shape == (40, 64, 3)  # small ones are not enlarged
