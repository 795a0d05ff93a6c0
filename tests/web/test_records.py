"""Tests, ablations and trainings are found below a folder and read as they were written."""

import io
import json
import math
import urllib.parse
from pathlib import Path

import pytest
import torch
from PIL import Image

from rave_mm.ablation.results import Result, runs_csv
from rave_mm.evaluation.outcome import Figure, PhotoRow, TestOutcome
from rave_mm.evaluation.outcome_files import write_outcome
from rave_mm.evaluation.showcase import Shown, jpeg
from rave_mm.web.records import find_records, read_picture, read_test, read_training
from tests.web.site import serving

NASTY = "<b>&'photo' \".jpg"


def write_test(folder: Path, level: float = 200.0) -> None:
    """Of two photos, one with a gain that JSON does not know, and pictures of three levels."""
    rows = [
        PhotoRow("a.jpg", {"PSNR-RGB": (20.0, 15.0, 5.0), "NIQE-gray": None}),
        PhotoRow(NASTY, {"PSNR-RGB": (math.inf, 14.0, math.inf), "NIQE-gray": (4.0, 5.0, 1.0)}),
    ]
    figures = {"PSNR-RGB": Figure(20.0, 15.0, 5.0, "higher")}
    outcome = TestOutcome("standard", figures, {}, rows, {"config": "c", "date": "2026"})
    pictures = [jpeg(torch.full((3, 30, 40), value)) for value in (20.0, level, 220.0)]
    shown = [Shown(5.0, "a.jpg", *pictures), Shown(math.inf, NASTY, *pictures[:2])]
    names = {"a.jpg": "a.jpg", NASTY: NASTY}
    write_outcome(folder, outcome, shown, "PSNR-RGB", names)


def write_scalars(folder: Path, start: str, lines: list[dict[str, float]]) -> None:
    path = folder / start / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"lo')


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_test(tmp_path / "one" / "test")
    write_test(tmp_path / "two", 180.0)
    write_test(tmp_path / ".hidden")
    train = [{"loss": 3.0 - step, "iter": step, "step": step} for step in (1, 2)]
    write_scalars(tmp_path / "one", "20260101", [*train, {"PSNR": 17.0, "step": 2}])
    write_scalars(tmp_path / "one", "20260102", [{"loss": 0.5, "iter": 2, "step": 2}])
    write_scalars(tmp_path / "two", "20260103", [{"PSNR": 17.0, "step": 2}])  # of a test
    grid = tmp_path / "grid"
    grid.mkdir()
    results = [Result(("1",), 0, "key", {"PSNR": 20.0, "input/PSNR": 14.0}, 9.0)]
    (grid / "runs.csv").write_text(runs_csv(["weight"], results))
    (grid / "figure.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_what_is_found(runs: Path) -> None:
    found = sorted((record.kind, record.name) for record in find_records(runs))
    assert found == [
        ("ablation", "grid"), ("test", "one/test"), ("test", "two"), ("training", "one")
    ]  # fmt: skip
    assert list(find_records(runs / "missing")) == []


def test_a_test_has_its_photos_and_pictures(runs: Path) -> None:
    """By what `report.html` itself holds: one piece of code writes it for both."""
    found = read_test(runs / "one" / "test")
    first, second = found["photos"]
    assert first["figures"] == {"PSNR-RGB": [20.0, 15.0, 5.0]}
    assert second["figures"]["PSNR-RGB"] == ["inf", 14.0, "inf"]
    assert first["pictures"] == ["input", "result", "ground truth"]
    assert (second["name"], second["pictures"]) == (NASTY, ["input", "result"])
    for name, level in (("input", 20), ("result", 200), ("ground truth", 220)):
        content = read_picture(runs / "one" / "test", "a.jpg", name)
        assert Image.open(io.BytesIO(content)).getpixel((5, 5)) == (level,) * 3
    with pytest.raises(KeyError):
        read_picture(runs / "one" / "test", NASTY, "ground truth")


def test_a_training_that_was_resumed_is_one_curve(runs: Path) -> None:
    """The later start's value stands; the line that is being written is left out."""
    curves = read_training(runs / "one")["curves"]
    assert curves["loss"] == [(1, 2.0), (2, 0.5)] and curves["PSNR"] == [(2, 17.0)]
    assert curves.keys() == {"loss", "PSNR"}


def test_the_server_shows_what_is_found_and_nothing_else(runs: Path) -> None:
    (runs / "work").mkdir()
    with serving(runs / "work", runs=runs) as site:
        listed = site.ask("/api/runs/").json
        assert {record["name"] for record in listed["records"]} == {
            "grid",
            "one/test",
            "two",
            "one",
        }
        assert site.ask("/api/runs/test?name=one/test").json["config"] == "c"
        assert site.ask("/api/runs/ablation?name=grid").json["columns"][0] == "weight"
        assert site.ask("/api/runs/figure?name=grid").headers["content-type"] == "image/png"
        query = urllib.parse.urlencode({"name": "two", "photo": NASTY, "picture": "result"})
        picture = site.ask(f"/api/runs/picture?{query}")
        assert Image.open(io.BytesIO(picture.body)).getpixel((5, 5)) == (180,) * 3
        for path in ("test?name=one", "training?name=two", "test?name=../work", "picture?name=two"):
            answer = site.ask(f"/api/runs/{path}")
            assert answer.status == 404 and answer.json["error"], path
        write_test(runs / "new")
        assert site.ask("/api/runs/test?name=new").status == 200, "found without a new list"
        (runs / "new" / "photos.csv").write_text("name,PSNR\na,b\n")
        assert "cannot be read" in site.ask("/api/runs/test?name=new").json["error"]
