"""The HTML page: it parses, asks for nothing outside, escapes names, and its slider moves."""

import base64
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser

from rave_mm.evaluation.outcome import (
    Figure,
    PhotoRow,
    TestOutcome,
)
from rave_mm.evaluation.outcome_files import csv_table, json_record, to_json, write_outcome
from rave_mm.evaluation.report import build_report, histogram
from rave_mm.evaluation.showcase import Shown, jpeg
from tests.browser import page_of

NASTY = "<b onload=\"x\">&'photo'.jpg"
VOID = {"meta", "link", "img", "input", "path"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def outcome() -> TestOutcome:
    rows = [
        PhotoRow("a.jpg", {"PSNR-RGB": (20.0, 15.0, 5.0), "NIQE-gray": None}),
        PhotoRow(NASTY, {"PSNR-RGB": (12.0, 14.0, -2.0), "NIQE-gray": (4.0, 5.0, 1.0)}),
        PhotoRow("same.jpg", {"PSNR-RGB": (math.inf, 30.0, math.inf), "NIQE-gray": None}),
    ]
    return TestOutcome(
        protocol="standard",
        figures={"PSNR-RGB": Figure(math.inf, 19.6666666, math.inf, "higher")},
        not_computed={"NIQE-gray": {"reason": "2 of <3> photos", "remedy": "Leave them out"}},
        rows=rows,
        facts={
            "photos": {"count": 3, "list_sha256": "abc", "equal": [["a.jpg", NASTY]]},
            "checkpoint": {"file": "x.pth", "sha256": None},
            "versions": {"torch": "2"},
        },
    )


@pytest.fixture
def shown() -> list[Shown]:
    before, after, truth = (jpeg(torch.full((3, 600, 900), n)) for n in (20.0, 200.0, 190.0))
    gains = ((-2.0, NASTY), (5.0, "a.jpg"), (math.inf, "same.jpg"))
    return [Shown(value, f"/photos/{name}", before, after, truth) for value, name in gains]


@pytest.fixture
def text(outcome: TestOutcome, shown: list[Shown]) -> str:
    names = {photo.path: photo.path.removeprefix("/photos/") for photo in shown}
    return build_report(outcome, shown, "PSNR-RGB", names)


def test_the_page_holds_all_and_asks_for_nothing(text: str) -> None:
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
    assert "url(" not in text and "@import" not in text and "http://" not in text
    pictures = page.all("img")
    assert [picture["data-name"] for picture in pictures] == ["input", "result", "ground truth"] * 3
    for attributes in pictures:
        data = base64.b64decode((attributes["src"] or "").partition("base64,")[2])
        assert Image.open(io.BytesIO(data)).size == (800, 533)
    assert "All 3 photos, sorted by gain in PSNR-RGB, the least gain first." in page.text
    assert re.findall(r"([-+]\d+\.\d+|\+inf)\)", page.text)[0] == "-2.0000"  # the worst is first
    assert "2 of <3> photos" in page.text and "Leave them out" in page.text


def test_names_are_escaped_and_photos_labelled(text: str) -> None:
    page = Page(text)
    assert not page.all("b") and page.text.count(NASTY) >= 2
    photos = page.all("before-after")
    assert len(photos) == 3 and photos[0]["label"] == NASTY
    assert page.all("html")[0]["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))


def test_every_photo_of_many_has_a_slider() -> None:
    """As many as BAID has."""
    names = [f"{index:03}.jpg" for index in range(368)]
    rows = [
        PhotoRow(name, {"PSNR-RGB": (20.0 + i, 20.0, float(i))}) for i, name in enumerate(names)
    ]
    picture = jpeg(torch.full((3, 20, 30), 90.0))
    shown = [Shown(float(i), name, picture, picture) for i, name in enumerate(names)]
    many = TestOutcome("standard", {}, {}, rows)
    page = Page(build_report(many, shown, "PSNR-RGB", dict(zip(names, names, strict=True))))
    assert len(page.all("before-after")) == 368 and "All 368 photos, sorted by gain" in page.text
    pictures = page.all("img")
    assert [picture["alt"] for picture in pictures[::2]] == [f"{name}, input" for name in names]
    for picture in pictures:
        assert (picture["loading"], picture["decoding"]) == ("lazy", "async")
        assert (picture["width"], picture["height"]) == ("30", "20")


def test_a_test_of_nothing_is_told() -> None:
    none = TestOutcome("standard", {}, {}, [])
    assert "Every figure that was asked for was computed" in build_report(none, [], None, {})


def test_histograms_count_every_photo() -> None:
    page = Page(histogram("PSNR-RGB", [1.0, 1.0, 3.0, math.inf], [0.0, 2.0, 2.0, 4.0]))
    bars = page.all("rect")
    heights = {
        kind: [float(b["height"] or 0) for b in bars if b["class"] == kind]
        for kind in ("result", "input")
    }
    assert heights["result"] == [102.0, 51.0] and heights["input"] == [51.0, 102.0, 51.0]
    assert "1 infinite values left out" in page.text
    assert "2 photos" in page.text and "result: 2 from 1 to 1.2" in page.text, "counts are told"
    assert "no values" in histogram("PSNR-RGB", [math.inf], [])
    assert Page(histogram("flat", [2.0], [2.0])).all("rect")


def test_json_and_csv(outcome: TestOutcome) -> None:
    record = json.loads(to_json(json_record(outcome)))
    assert record["figures"]["PSNR-RGB"] == {
        "result": "inf",
        "input": 19.666667,
        "gain": "inf",
        "better": "higher",
    }
    assert record["not_computed"]["NIQE-gray"]["remedy"] == "Leave them out"
    lines = csv_table(outcome).splitlines()
    assert lines[0].split(",")[:4] == ["name", "PSNR-RGB", "input/PSNR-RGB", "gain/PSNR-RGB"]
    assert lines[1] == "a.jpg,20.0,15.0,5.0,,,"
    assert lines[3] == "same.jpg,inf,30.0,inf,,,"


def test_in_a_browser(browser: Browser, text: str, tmp_path: Path) -> None:
    """The divider moves by slider, mouse and keys; menus show the truth; a phone is wide enough."""
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    with page_of(browser, viewport={"width": 390, "height": 800}) as page:
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        table = page.locator(".scroll").first
        assert table.evaluate("box => box.scrollWidth <= box.clientWidth"), "no column is cut"
        photo = page.locator("before-after").first
        left = photo.locator(".layer.cut")
        clip = "box => getComputedStyle(box).clipPath"
        assert left.evaluate(clip) == "inset(0px 50% 0px 0px)"
        photo.locator("input").fill("10")
        assert left.evaluate(clip) == "inset(0px 90% 0px 0px)"
        stage = photo.locator(".stage")
        box = stage.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
        assert left.evaluate(clip) == "inset(0px 25% 0px 0px)"
        stage.press("ArrowRight")
        assert left.evaluate(clip) == "inset(0px 23% 0px 0px)"
        shown = "box => box.querySelector('img').dataset.name"
        assert left.evaluate(shown) == "input"
        photo.locator("select").first.select_option("ground truth")
        assert left.evaluate(shown) == "ground truth"
        assert photo.locator(".layer:not(.cut)").first.evaluate(shown) == "result"


def test_files_are_written_whole(outcome: TestOutcome, shown: list[Shown], tmp_path: Path) -> None:
    names = {photo.path: photo.path.removeprefix("/photos/") for photo in shown}
    write_outcome(tmp_path / "run", outcome, shown, "PSNR-RGB", names)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "photos.csv",
        "report.html",
        "report.json",
    ]
