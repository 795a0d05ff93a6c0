"""What the page is shown and downloads is what the command makes."""

import http.client
import io
import json
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rave_mm.inference.choosing import choose_enhancer, enhance
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.photos.metadata import Metadata
from rave_mm.photos.photo import LoadedPhoto
from rave_mm.photos.reading import open_photo, read_photo
from rave_mm.photos.writing import write_photo
from tests.web.site import VISITOR, Site, backlit, backlit_file, serving


@pytest.fixture(scope="module")
def photo(site: Site, folder: Path) -> tuple[str, Path]:
    """A photo that was dropped."""
    path = backlit_file(folder / "a.png")
    return site.photo(path), path


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float32)


@pytest.mark.parametrize("strength", [0, 0.5, 1, 2])
def test_the_picture_is_the_result(site: Site, photo: tuple[str, Path], strength: float) -> None:
    """But for what JPEG loses."""
    identity, path = photo
    answer = site.ask(f"/api/photos/{identity}/after?strength={strength}")
    assert answer.headers["content-type"] == "image/jpeg"
    wanted = enhance(read_photo(path), strength)
    assert np.abs(picture(answer.body) - wanted).mean() < 2
    small = site.ask(f"/api/photos/{identity}/after?strength={strength}&side=100")
    assert picture(small.body).shape == (75, 100, 3)


def test_a_part_is_of_the_result_of_the_whole(site: Site, folder: Path) -> None:
    """Of a photo that is larger than the screen, turned, and in parts of two scales."""
    values = backlit(1300, 2000)
    path = folder / "large.png"
    write_photo(path, values)
    identity = site.photo(path)
    for kind, wanted in (("before", values), ("after", enhance(values))):
        query = f"/api/photos/{identity}/part/{kind}?left=1201&top=333&width=500&height=400"
        whole = picture(site.ask(query).body)
        assert np.abs(whole - wanted[333:733, 1201:1701]).mean() < 2
        half = picture(site.ask(query + "&scale=0.5").body)
        reduced = wanted[333:733, 1201:1701].reshape(200, 2, 250, 2, 3).mean((1, 3))
        assert half.shape == (200, 250, 3) and np.abs(half - reduced).mean() < 3


@pytest.mark.parametrize(
    "query",
    ["left=-1&top=0&width=9&height=9", "left=0&top=0&width=401&height=1", "left=0&top=0&width=0"]
    + ["left=0&top=0&width=9&height=9&scale=2", "left=nan&top=0&width=9&height=9"],
)
def test_parts_that_are_not_there_are_refused(
    site: Site, photo: tuple[str, Path], query: str
) -> None:
    answer = site.ask(f"/api/photos/{photo[0]}/part/before?{query}")
    assert answer.status == 422 and answer.json["error"].startswith("got")


def test_a_result_keeps_bits_colours_and_metadata(site: Site, folder: Path) -> None:
    """Byte for byte what `rave-mm enhance --strength 0.7` writes."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", 1
    values = backlit(200, 300).astype(np.uint16) * 257 + 13
    path, by_command = folder / "deep.tif", folder / "by_command.tif"
    alpha = np.full(values.shape[:2], 40000, np.uint16)
    metadata = Metadata(exif=exif.tobytes(), dpi=(300, 300))
    write_photo(path, values, LoadedPhoto(values, alpha, metadata=metadata))
    identity = site.photo(path)
    answer = site.ask(f"/api/photos/{identity}/result?strength=0.7")
    assert answer.headers["content-disposition"] == 'attachment; filename="deep.tif"'
    (outcome,) = PhotoRun(choose_enhancer(), strength=0.7)([PhotoJob(path, by_command)])
    assert outcome.status == "done" and answer.body == by_command.read_bytes()
    (folder / "downloaded.tif").write_bytes(answer.body)
    loaded = open_photo(folder / "downloaded.tif").load()
    assert loaded.values.dtype == np.uint16 and loaded.alpha is not None
    assert b"a camera" in loaded.metadata.exif


def test_figures_follow_the_strength(site: Site, photo: tuple[str, Path]) -> None:
    none, full = (site.ask(f"/api/photos/{photo[0]}/figures?strength={n}").json for n in (0, 1))
    assert none["histograms"]["before"] == none["histograms"]["after"]
    assert sum(full["histograms"]["after"]["luma"]) == 300 * 400
    assert none["scores"]["before"] == none["scores"]["after"] == full["scores"]["before"]
    assert full["scores"]["after"] != full["scores"]["before"]
    assert 0 < full["light_map"]["lowest"] < full["light_map"]["highest"]
    assert none["signs"]["newly_clipped"] == 0 and not none["signs"]["suspect"]


@pytest.mark.parametrize("strength", ["-1", "nan", "inf", "x", "1e12"])
def test_a_wrong_strength_is_told(site: Site, photo: tuple[str, Path], strength: str) -> None:
    for what in ("after", "figures", "result"):
        answer = site.ask(f"/api/photos/{photo[0]}/{what}?strength={strength}")
        assert answer.status == 422 and "strength" in answer.json["error"]


def test_a_wrong_enhancer_is_told(site: Site, photo: tuple[str, Path]) -> None:
    answer = site.ask(f"/api/photos/{photo[0]}/after?enhancer=best")
    assert answer.status == 422 and "expected one of bundled network" in answer.json["error"]


def test_settings_are_kept(site: Site, folder: Path) -> None:
    identity = site.photo(backlit_file(folder / "kept.png"))
    body = json.dumps({"strength": 0.4, "enhancer": "bundled network"}).encode()
    assert site.ask(f"/api/photos/{identity}", "PATCH", body).json["strength"] == 0.4
    photos = site.ask(f"/api/photos?visitor={VISITOR}").json
    assert [each["strength"] for each in photos if each["id"] == identity] == [0.4]
    for wrong in (b"{}", b"[]", b"no", b'{"strength": -1, "enhancer": "bundled network"}'):
        assert site.ask(f"/api/photos/{identity}", "PATCH", wrong).status == 422
    assert site.ask(f"/api/photos/{identity}", "PATCH", b" " * 10**6).status == 413


def test_all_results_come_as_zip(site: Site, folder: Path) -> None:
    """Each with its own strength, two of one name apart, and what fails is told in it."""
    visitor = "visitor-of-the-zip"
    first, second = (
        backlit_file(folder / name / "same.png", seed=n) for n, name in enumerate("xy")
    )
    one, two = site.photo(first, visitor), site.photo(second, visitor)
    body = json.dumps({"strength": 0, "enhancer": "bundled network"}).encode()
    site.ask(f"/api/photos/{two}", "PATCH", body)
    whole = (folder / "x" / "same.png").read_bytes()
    broken = site.upload("broken.png", whole[: len(whole) // 2], visitor).json["id"]
    with zipfile.ZipFile(io.BytesIO(site.ask(f"/api/results.zip?visitor={visitor}").body)) as found:
        assert found.testzip() is None
        assert found.namelist() == ["same.png", "same (2).png", "failed.txt"]
        assert picture(found.read("same (2).png")).tolist() == read_photo(second).tolist()
        assert found.read("same.png") == site.ask(f"/api/photos/{one}/result").body
        assert found.read("failed.txt").startswith(b"broken.png: ")
    query = f"/api/results.zip?visitor={visitor}&photo={two}"
    with zipfile.ZipFile(io.BytesIO(site.ask(query).body)) as found:
        assert found.namelist() == ["same.png"]
    assert site.ask(f"/api/photos/{broken}", "DELETE").status == 204


def test_a_zip_that_nobody_waits_for_ends(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, made = "visitor-who-leaves", []
    for number in range(8):
        site.photo(backlit_file(folder / f"left_{number}.png", seed=number), visitor)
    enhance_one = site.visits.workbench.result

    def slow(*arguments: Any) -> Path:
        made.append(arguments)
        time.sleep(0.2)
        return enhance_one(*arguments)

    monkeypatch.setattr(site.visits.workbench, "result", slow)
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    connection.request("GET", f"/api/results.zip?visitor={visitor}")
    answer = connection.getresponse()
    assert answer.read(100).startswith(b"PK")
    answer.close()
    connection.close()
    time.sleep(2)
    assert len(made) < 5


def test_what_was_removed_is_gone(site: Site, folder: Path) -> None:
    identity = site.photo(backlit_file(folder / "gone.png"))
    item = site.visits.album.get(identity)
    assert item is not None and item.path.is_file()
    assert site.ask(f"/api/photos/{identity}", "DELETE").status == 204
    assert not item.folder.exists()
    for path in ("", "/after", "/figures", "/result"):
        answer = site.ask(f"/api/photos/{identity}{path}")
        assert answer.status == 404 and "any more" in answer.json["error"]


def test_a_visitor_sees_its_own_photos(site: Site, photo: tuple[str, Path]) -> None:
    assert site.ask("/api/photos?visitor=somebody-else-here").json == []
    assert photo[0] in [each["id"] for each in site.ask(f"/api/photos?visitor={VISITOR}").json]
    assert site.ask("/api/photos?visitor=short").status == 422


def test_a_folder_is_shown_and_never_changed(tmp_path: Path) -> None:
    path = backlit_file(tmp_path / "photos" / "mine.jpg")
    before = path.read_bytes()
    (tmp_path / "work").mkdir()
    with serving(tmp_path / "work", photos=(path,)) as site:
        (told,) = site.ask(f"/api/photos?visitor={VISITOR}").json
        assert (told["name"], told["state"], told["mine"]) == ("mine.jpg", "ready", False)
        assert site.ask(f"/api/photos/{told['id']}").json["width"] == 400
        assert site.ask(f"/api/photos/{told['id']}/after").status == 200
        part = f"/api/photos/{told['id']}/part/after?left=0&top=0&width=9&height=9"
        assert site.ask(part).status == 200
        assert site.ask(f"/api/photos/{told['id']}/result").status == 200
        assert site.ask(f"/api/photos/{told['id']}", "DELETE").status == 403
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_work_ends_with_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a page that has gone is dropped, taken up when it is back, and forgotten."""
    go, asked = threading.Event(), []

    def slow(self: object, item: object) -> None:
        asked.append(item)
        assert go.wait(20)

    monkeypatch.setattr("rave_mm.web.workbench.Workbench.prepare", slow)
    content = backlit_file(tmp_path / "a.png").read_bytes()
    (tmp_path / "work").mkdir()
    with serving(tmp_path / "work", keep_work=0.2, keep_photos=0.5) as site:
        visitor = site.visits.album.visitor(VISITOR)
        with listening(site):
            for number in range(5):
                site.upload(f"{number}.png", content)
            time.sleep(0.5)
            assert len(visitor.work) == 5 and len(asked) == 1, "one at a time"
        wait_for_work(visitor.work, 0)
        go.set()
        time.sleep(0.1)
        assert len(asked) == 1, "the four that waited were dropped"
        with listening(site):
            wait_for_work(visitor.work, 0, at_least=len(asked))
            end = time.monotonic() + 10
            while {each["state"] for each in site.ask(f"/api/photos?visitor={VISITOR}").json} != {
                "ready"
            }:
                assert time.monotonic() < end
                time.sleep(0.02)
        end = time.monotonic() + 10
        while any((tmp_path / "work").iterdir()):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert site.ask(f"/api/photos?visitor={VISITOR}").json == []


def wait_for_work(work: dict[str, object], count: int, at_least: int = 0) -> None:
    end = time.monotonic() + 10
    while len(work) != count:
        assert time.monotonic() < end
        time.sleep(0.02)


class listening:  # noqa: N801 - it is used as a function
    """Holds the connection over which a page is told what happens."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def __enter__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.site.port)
        headers = {"Host": f"127.0.0.1:{self.site.port}"}
        self.connection.request("GET", f"/api/events?visitor={VISITOR}", headers=headers)
        answer = self.connection.getresponse()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        self.answer = answer

    def __exit__(self, *error: object) -> None:
        self.answer.close()
        self.connection.close()
