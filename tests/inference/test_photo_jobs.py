"""Plans keep a folder's layout and never overwrite anything."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rave_mm.inference.photo_jobs import PlanError, plan_jobs
from rave_mm.photos import formats


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.JPG", "trip/a.jpg", "trip/day/c.png", ".hidden/x.jpg", "notes.txt"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    return tmp_path / "photos"


def test_layout_is_kept(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = plan_jobs([photos], out)
    jobs = plan.jobs
    names = ["a.JPG", "b.jpg", "trip/a.jpg", "trip/day/c.png"]
    assert [job.source for job in jobs] == [photos / name for name in names]
    assert [job.target for job in jobs] == [out / name for name in names]
    assert plan.left_out == [(photos / "notes.txt", "files in .txt are not read")]
    (job,) = plan_jobs([photos / "b.jpg"], out, extension=".png", light_map=True, compare=True).jobs
    wanted = ["b.png.light_map.png", "b.png.compare.jpg", "b.png"]
    assert job.files == [out / name for name in wanted]


def test_each_photograph_once(photos: Path, tmp_path: Path) -> None:
    assert len(plan_jobs([photos, photos, photos / "b.jpg"], tmp_path / "out").jobs) == 4


def test_results_within_the_folder_are_no_photographs(photos: Path) -> None:
    (photos / "out/trip").mkdir(parents=True)
    (photos / "out/trip/a.jpg").touch()
    assert len(plan_jobs([photos], photos / "out").jobs) == 4
    assert (
        len(plan_jobs([photos / "trip"], photos).jobs) == 2
    )  # nor is what lies in a parent a result


def test_results_of_one_name(photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").touch()
    assert len(plan_jobs([photos], tmp_path / "out").jobs) == 5
    with pytest.raises(
        PlanError, match=r"overwrite each other:\n.*b\.png from .*b\.jpg and .*b\.p"
    ):
        plan_jobs([photos], tmp_path / "out", extension=".png")
    (photos / "home").mkdir()
    (photos / "home/a.jpg").touch()
    with pytest.raises(PlanError, match=r"out/a\.jpg from .*trip/a\.jpg and .*home/a\.jpg"):
        plan_jobs([photos / "trip", photos / "home"], tmp_path / "out")


def test_results_over_photographs(photos: Path) -> None:
    with pytest.raises(PlanError, match=r"overwrite photographs:\n(.*\n){4}Name another folder"):
        plan_jobs([photos], photos)
    with pytest.raises(PlanError, match="overwrite photographs"):
        plan_jobs([photos / "b.jpg"], photos / "trip" / "..")


def test_nothing_to_do(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"no such photograph or folder: .*none"):
        plan_jobs([tmp_path / "none"], tmp_path / "out")
    with pytest.raises(
        PlanError, match=r"notes\.txt is no photograph.*\.txt are not read; expected one of \.jpg"
    ):
        plan_jobs([photos / "notes.txt"], tmp_path / "out")
    (photos / "bare").touch()
    with pytest.raises(PlanError, match=r"bare is no photograph.*: no extension"):
        plan_jobs([photos / "bare"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match=r"no photograph in .*empty; expected files that end in"):
        plan_jobs([tmp_path / "empty"], tmp_path / "out")


def test_results_are_named_after_what_the_files_are(photos: Path, tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((4, 5, 4), np.uint8))
    image.save(photos / "clear.jpg", "PNG")
    image.convert("RGB").save(photos / "photo.png", "JPEG")
    image.convert("RGB").save(photos / "still.gif")
    image.convert("RGB").save(photos / "right.JPEG", "JPEG")
    jobs = plan_jobs([photos], tmp_path / "out").jobs
    names = {job.source.name: job.target.name for job in jobs}
    assert names["clear.jpg"] == "clear.png"
    assert names["photo.png"] == "photo.jpg"
    assert names["still.gif"] == "still.png"
    assert names["right.JPEG"] == "right.JPEG"


def test_what_is_left_out_is_told(photos: Path, tmp_path: Path) -> None:
    (photos / "gone.jpg").symlink_to(photos / "nothing")
    (photos / "film.mp4").touch()
    left_out = dict(plan_jobs([photos], tmp_path / "out").left_out)
    assert left_out == {
        photos / "gone.jpg": "a broken link",
        photos / "film.mp4": "files in .mp4 are not read",
        photos / "notes.txt": "files in .txt are not read",
    }


def test_formats_without_their_package_are_left_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    (photos / "phone.heic").touch()
    (photos / "camera.nef").touch()
    left_out = dict(plan_jobs([photos], tmp_path / "out").left_out)
    assert left_out[photos / "phone.heic"] == "HEIC needs pillow_heif: pip install pillow-heif"
    assert left_out[photos / "camera.nef"] == "camera RAW needs rawpy: pip install rawpy"
