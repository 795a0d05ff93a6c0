"""The page in a real browser, as people use it."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from rave_mm.inference.choosing import choose_enhancer
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.photos.metadata import Metadata
from rave_mm.photos.photo import LoadedPhoto
from rave_mm.photos.reading import open_photo
from rave_mm.photos.writing import write_photo
from tests.browser import page_of
from tests.web.site import BUNDLED, Site, backlit, backlit_file, serving
from tests.web.test_records import write_scalars, write_test

OTHER = "a second network"
CLIP_PATH = "box => getComputedStyle(box).clipPath"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two networks, a test with pictures, and a training."""
    runs = tmp_path_factory.mktemp("runs")
    write_test(runs / "first")
    write_test(runs / "second", 150.0)
    write_scalars(runs / "third", "20260101", [{"loss": 9 / n, "step": n} for n in range(1, 9)])
    enhancers = {BUNDLED: choose_enhancer(), OTHER: choose_enhancer(light_map_side=16)}
    with serving(tmp_path_factory.mktemp("site"), enhancers=enhancers, runs=runs) as found:
        yield found


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    with page_of(browser, viewport={"width": 1280, "height": 900}) as found:
        found.goto(site.url)
        expect(found.locator("body[data-ready]")).to_be_visible()
        yield found


def drop(page: Page, *files: Path) -> None:
    """Choose photos, and wait until all are ready."""
    count = page.locator("#grid li").count() + len(files)
    page.set_input_files("#files", list(files))
    expect(page.locator("#progress")).to_have_text(f"{count} of {count} ready")


def open_first(page: Page) -> Locator:
    page.locator("#grid a").first.click()
    expect(page.locator("#score meter")).to_have_count(2)
    return page.locator("before-after")


def test_drop_compare_and_set_the_strength(page: Page, folder: Path) -> None:
    drop(page, backlit_file(folder / "a photo.jpg"))
    element = open_first(page)
    expect(page.get_by_role("heading", name="a photo.jpg")).to_be_focused()
    stage, left = element.locator(".stage"), element.locator(".layer.cut")
    box = stage.bounding_box()
    assert box is not None and box["width"] / box["height"] == pytest.approx(4 / 3, rel=0.01)
    # Mouse.
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 80, steps=5)
    page.mouse.up()
    assert left.evaluate(CLIP_PATH) == "inset(0px 80% 0px 0px)"
    # Keyboard: the divider's slider, then the stage.
    divider = element.get_by_label("where the divider is")
    divider.press("ArrowRight")
    assert left.evaluate(CLIP_PATH) == "inset(0px 79% 0px 0px)"
    stage.press("End")  # which it does not know
    stage.press("ArrowLeft")
    assert left.evaluate(CLIP_PATH) == "inset(0px 81% 0px 0px)"
    # Strength by keyboard: the picture follows, and so do the figures.
    after = element.locator(f"img[data-name='{BUNDLED}']")
    score = page.locator("#score meter").nth(1)
    before = score.get_attribute("value")
    page.get_by_label("Strength").focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#strength-told")).to_have_text("0%")
    expect(after).to_have_attribute("src", re.compile("strength=0&"))
    expect(score).not_to_have_attribute("value", before or "")
    expect(page.locator("#download")).to_have_attribute("href", re.compile("strength=0&"))


def test_files_are_dropped_anywhere(page: Page) -> None:
    """By the events of a drop, with a file that the page itself makes."""
    page.evaluate(
        """async () => {
            const canvas = document.createElement("canvas");
            const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
            const transfer = new DataTransfer();
            transfer.items.add(new File([blob], "dropped.png"));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const event = new DragEvent(kind, {dataTransfer: transfer, bubbles: true});
                document.querySelector("h1").dispatchEvent(event);
            }
        }"""
    )
    expect(page.locator("#progress")).to_have_text("1 of 1 ready")
    expect(page.locator("#grid .name")).to_have_text("dropped.png")


def test_zoom_and_pan_both_halves(page: Page, folder: Path) -> None:
    drop(page, backlit_file(folder / "large.png", 1800, 2700))
    element = open_first(page)
    stage = element.locator(".stage")
    element.get_by_role("button", name="100%").click()
    expect(element.locator("img.sharper")).to_have_count(2)
    width = stage.evaluate("box => box.clientWidth")
    zoom = float(element.evaluate("box => getComputedStyle(box).getPropertyValue('--zoom')"))
    assert zoom == pytest.approx(2700 / width, rel=1e-3), (
        "a pixel of the photo is one of the screen"
    )
    places = "part => [part.style.left, part.style.top, part.style.width, part.src.length > 0]"
    parts = element.locator("img.sharper")
    assert parts.nth(0).evaluate(places) == parts.nth(1).evaluate(places)
    # The part is the photo's own pixels.
    part = page.request.get(str(parts.nth(0).evaluate("part => part.src"))).body()
    assert abs(Image.open(io.BytesIO(part)).width - width) <= 2
    assert_panned(element, lambda: stage.press("ArrowRight"))
    box = stage.bounding_box()
    assert box is not None

    def drag() -> None:
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 120, box["y"] + 150, steps=3)
        page.mouse.up()

    assert_panned(element, drag)
    stage.press("0")
    expect(element.locator("img.sharper")).to_have_count(0)
    assert element.evaluate("box => box.style.getPropertyValue('--x')") == "0px"


def assert_panned(element: Locator, action: object) -> None:
    assert callable(action)
    place = "box => box.style.getPropertyValue('--x')"
    before = element.evaluate(place)
    action()
    assert element.evaluate(place) != before
    matrices = element.locator(".layer > img:not(.sharper)").evaluate_all(
        "pictures => pictures.map((each) => getComputedStyle(each).transform)"
    )
    assert matrices[0] == matrices[1], "both halves move alike"


def test_a_download_keeps_bits_and_metadata(page: Page, folder: Path) -> None:
    """Byte for byte what the command makes of the file."""
    values = backlit(120, 160).astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    files = (folder / "deep.png", folder / "by_command.png")
    alpha = np.full(values.shape[:2], 50000, np.uint16)
    metadata = Metadata(exif=exif.tobytes())
    write_photo(files[0], values, LoadedPhoto(values, alpha, metadata=metadata))
    drop(page, files[0])
    open_first(page)
    page.get_by_label("Strength").fill("150")
    expect(page.locator("#download")).to_have_attribute("href", re.compile("strength=1.5"))
    with page.expect_download() as waiting:
        page.locator("#download").click()
    assert waiting.value.suggested_filename == "deep.png"
    list(PhotoRun(choose_enhancer(), strength=1.5)([PhotoJob(*files)]))
    downloaded = Path(waiting.value.path())
    assert downloaded.read_bytes() == files[1].read_bytes()
    loaded = open_photo(downloaded).load()
    assert loaded.values.dtype == np.uint16 and loaded.alpha is not None
    assert b"a camera" in loaded.metadata.exif


def test_many_photos_their_zip_and_what_fails(page: Page, folder: Path) -> None:
    files = [backlit_file(folder / f"{number:02}.jpg", seed=number) for number in range(12)]
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    page.set_input_files("#files", [*files, folder / "page.html", folder / "drawing.svg"])
    expect(page.locator("#progress")).to_have_text("12 of 14 ready, 2 failed")
    expect(page.locator("#grid .failed .state").first).to_contain_text("not a picture")
    page.get_by_role("button", name="remove page.html").click()
    page.get_by_role("button", name="remove 03.jpg").click()
    expect(page.locator("#progress")).to_have_text("11 of 12 ready, 1 failed")
    with page.expect_download() as waiting:
        page.locator("#all").click()
    with zipfile.ZipFile(waiting.value.path()) as found:
        assert sorted(found.namelist()) == [file.name for file in files if file.name != "03.jpg"]
        assert found.testzip() is None
    # Next and previous, and back to the grid by the browser's own button.
    page.locator("#grid a").first.click()
    expect(page.locator("#name")).to_have_text("00.jpg")
    page.get_by_role("button", name="next photo").click()
    expect(page.locator("#name")).to_have_text("01.jpg")
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    page.go_forward()
    expect(page.locator("#name")).to_have_text("01.jpg")
    page.keyboard.press("Escape")
    expect(page.locator("#album")).to_be_visible()


def test_a_reload_loses_nothing(page: Page, folder: Path) -> None:
    drop(page, backlit_file(folder / "one.jpg"), backlit_file(folder / "two.jpg", seed=1))
    open_first(page)
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        page.get_by_label("Strength").fill("40")
    page.reload()
    expect(page.locator("#name")).to_have_text("one.jpg")
    expect(page.locator("#strength-told")).to_have_text("40%")
    page.locator("#back").click()
    expect(page.locator("#progress")).to_have_text("2 of 2 ready")


def test_a_folder_that_is_shown_is_opened_by_looking(browser: Browser, tmp_path: Path) -> None:
    """Nobody has read the sizes of its photos before."""
    path = backlit_file(tmp_path / "shared" / "mine.jpg")
    with serving(tmp_path, photos=(path,)) as site, page_of(browser) as page:
        page.goto(site.url)
        open_first(page)
        expect(page.locator("before-after .stage")).to_be_visible()
        expect(page.locator("#kept")).to_contain_text("400 × 300, JPEG, 8 bits")


def test_networks_are_compared(page: Page, folder: Path) -> None:
    drop(page, backlit_file(folder / "a.jpg"))
    element = open_first(page)
    left = element.get_by_label("left of the divider")
    assert left.locator("option").all_text_contents() == ["before", BUNDLED, OTHER]
    left.select_option(BUNDLED)
    element.get_by_label("right of the divider").select_option(OTHER)
    shown = element.locator(".layer > img").evaluate_all(
        "all => all.map((img) => img.dataset.name)"
    )
    assert shown[:2] == [OTHER, BUNDLED]
    page.get_by_label("Download from").select_option(OTHER)
    expect(page.locator("#download")).to_have_attribute("href", re.compile("enhancer=a\\+second"))
    page.get_by_label("Show the light map").check()
    expect(element.locator(".over img")).to_have_attribute("src", re.compile("enhancer=a\\+second"))


def test_on_a_phone(browser: Browser, site: Site, folder: Path) -> None:
    """All of it fits, touch moves the divider, and two fingers zoom."""
    with page_of(browser, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        page.goto(site.url)
        drop(page, backlit_file(folder / f"{'long_name_' * 9}.jpg"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        element = open_first(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = element.locator(".stage").bounding_box()
        assert box is not None and box["width"] > 340
        page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + 40)
        assert element.locator(".layer.cut").evaluate(CLIP_PATH) == "inset(0px 75% 0px 0px)"
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = page.context.new_cdp_session(page)

        def fingers(kind: str, *at: float) -> None:
            points = [{"x": x + each, "y": y, "id": place} for place, each in enumerate(at)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        fingers("touchStart", -20, 20)
        fingers("touchMove", -60, 60)
        fingers("touchEnd")
        zoom = float(element.evaluate("box => getComputedStyle(box).getPropertyValue('--zoom')"))
        assert zoom == pytest.approx(3, abs=0.5)


def test_runs_are_shared_by_their_address(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/runs")
    for name in ("first", "second", "third"):
        page.get_by_role("checkbox", name=name).check()
    expect(page.locator("#shown svg")).to_be_visible()
    page.get_by_label("Photos", exact=False).last.select_option("name")
    expect(page.locator("figcaption").first).to_have_text("<b>&'photo' \".jpg")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    table = page.locator("table").first
    expect(table.locator("thead th")).to_have_text(["metric", "input", "first", "second"])
    expect(table.locator("tbody tr").first).to_contain_text("20.0000 (+5.0000)")
    element = page.locator("before-after").last
    names = element.get_by_label("left of the divider").locator("option")
    expect(names).to_have_text(["input", "first", "second", "ground truth"])
    page.go_back()
    expect(page.locator("table")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 2560])
def test_nothing_is_in_the_way_of_anybody(
    browser: Browser, site: Site, folder: Path, scheme: str, width: int
) -> None:
    """axe-core, which knows WCAG's contrasts and what a screen reader needs, finds nothing."""
    look = {"viewport": {"width": width, "height": 1200}, "color_scheme": scheme}
    with page_of(browser, bypass_csp=True, **look) as page:
        page.goto(site.url)
        expect(page.locator("body[data-ready]")).to_be_visible()
        assert_accessible(page)
        drop(page, backlit_file(folder / "a.jpg"))
        assert_accessible(page)
        open_first(page)
        assert_accessible(page)
        page.goto(f"{site.url}/runs?test=first&test=second&training=third")
        expect(page.locator("before-after")).to_have_count(2)
        assert_accessible(page)


def assert_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


# Of what moved, all but the place to drop photos, which makes room for them.
SHIFTS = """window.shifts = [];
    new PerformanceObserver((list) => shifts.push(...list.getEntries()
        .flatMap((each) => each.sources.map(({node}) => node?.closest ? node : node?.parentElement))
        .filter((element) => !element?.closest("#drop"))
        .map((element) => element?.outerHTML ?? "what is gone")))
    .observe({type: "layout-shift", buffered: true})"""


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_it_loads(
    browser: Browser, site: Site, folder: Path, width: int
) -> None:
    """The browser counts no layout shift."""
    with page_of(browser, bypass_csp=True, viewport={"width": width, "height": 900}) as page:
        page.add_init_script(SHIFTS)
        page.goto(site.url)
        drop(page, *(backlit_file(folder / f"s{number}.jpg", seed=number) for number in range(4)))
        open_first(page)
        page.wait_for_timeout(200)
        assert page.evaluate("shifts") == []
