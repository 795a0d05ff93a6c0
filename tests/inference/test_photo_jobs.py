"""Plans keep a folder's layout and never overwrite anything."""

from pathlib import Path

import pytest

from rave_mm.inference.photo_jobs import PlanError, plan_jobs


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.JPG", "trip/a.jpg", "trip/day/c.png", ".hidden/x.jpg", "notes.txt"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    return tmp_path / "photos"


def test_layout_is_kept(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    jobs = plan_jobs([photos], out)
    names = ["a.JPG", "b.jpg", "trip/a.jpg", "trip/day/c.png"]
    assert [job.source for job in jobs] == [photos / name for name in names]
    assert [job.target for job in jobs] == [out / name for name in names]
    job = plan_jobs([photos / "b.jpg"], out, extension=".png", light_map=True, compare=True)[0]
    wanted = ["b.png.light_map.png", "b.png.compare.jpg", "b.png"]
    assert job.files == [out / name for name in wanted]


def test_each_photograph_once(photos: Path, tmp_path: Path) -> None:
    assert len(plan_jobs([photos, photos, photos / "b.jpg"], tmp_path / "out")) == 4


def test_results_within_the_folder_are_no_photographs(photos: Path) -> None:
    (photos / "out/trip").mkdir(parents=True)
    (photos / "out/trip/a.jpg").touch()
    assert len(plan_jobs([photos], photos / "out")) == 4
    assert len(plan_jobs([photos / "trip"], photos)) == 2  # nor is what lies in a parent a result


def test_results_of_one_name(photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").touch()
    assert len(plan_jobs([photos], tmp_path / "out")) == 5
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
    with pytest.raises(PlanError, match=r"notes\.txt is no photograph.*expected one of \.bmp"):
        plan_jobs([photos / "notes.txt"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match=r"no photograph in .*empty; expected files that end in"):
        plan_jobs([tmp_path / "empty"], tmp_path / "out")
