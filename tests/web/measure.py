"""How long the page takes, and how much memory: `python -m tests.web.measure`.

In Debian's chromium, on photos made from one of scikit-image's, JPEG, of 1, 12, 20 and 24
megapixels. The server is the command itself, as a process of its own.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyvips
from playwright.sync_api import Page, expect
from skimage import data

from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.photos.colour import image_of
from tests.browser import chromium, page_of

TOOL = Path(__file__).resolve().parents[2] / "tools" / "web.py"
UPLOADS = 20
STEPS = 20


def photo(folder: Path, megapixels: float, number: int = 0) -> Path:
    """A backlit photo of some size, 3:2, with the noise of a camera."""
    small = synthetic_backlight(data.astronaut(), np.random.default_rng(number))
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    image = image_of(small).resize(height * 1.5 / 512, vscale=height / 512)
    noise = pyvips.Image.gaussnoise(image.width, image.height, sigma=3, mean=0, seed=number)
    path = folder / f"{megapixels}_{number:02}.jpg"
    (image + noise).cast("uchar").jpegsave(str(path), Q=92)
    return path


def peak_memory(process: int) -> float:
    """The most main memory that a process held, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


def ready(page: Page, count: int) -> None:
    expect(page.locator("#progress")).to_have_text(f"{count} of {count} ready", timeout=300_000)


def drop_to_result(page: Page, path: Path) -> tuple[float, float]:
    """Seconds until the result is seen in the grid, and until it is seen large after a click."""
    started = time.perf_counter()
    page.set_input_files("#files", path)
    shown = page.locator("#grid img")
    shown.wait_for(timeout=60_000)
    shown.evaluate("img => img.decode()")
    seen = time.perf_counter()
    page.locator("#grid a").click()
    page.locator("before-after .layer:not(.cut) > img").first.evaluate("img => img.decode()")
    opened = time.perf_counter() - seen
    page.locator("#back").click()
    page.locator("#grid .remove").click()
    return seen - started, opened


def strength(page: Page, path: Path) -> list[float]:
    """Milliseconds from each change of the strength until its result is shown."""
    page.set_input_files("#files", path)
    ready(page, 1)
    page.locator("#grid a").click()
    expect(page.locator("#score meter")).to_have_count(2)
    taken = []
    for step in range(STEPS):
        page.get_by_label("Strength").fill(str(5 * step))
        count = "performance.getEntriesByName('strength').length"
        while page.evaluate(count) <= step:
            page.wait_for_timeout(5)
        last = f"performance.getEntriesByName('strength')[{step}].duration"
        taken.append(float(page.evaluate(last)))
    page.locator("#back").click()
    page.locator("#grid .remove").click()
    return taken


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    started = time.perf_counter()
    command = [sys.executable, str(TOOL), "--port", "0", "--runs", str(folder)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        chromium() as browser,
    ):
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        print(f"start: {time.perf_counter() - started:.2f} s until the address is printed")
        with page_of(browser, bypass_csp=True, viewport={"width": 1440, "height": 900}) as page:
            page.goto(url)
            for megapixels in (1, 12, 24):
                found = [drop_to_result(page, photo(folder, megapixels, n)) for n in range(5)]
                seen, opened = (statistics.median(times) for times in zip(*found, strict=True))
                told = f"result {seen:.2f} s after the drop, large in {opened:.2f} s"
                print(f"{megapixels} megapixels: {told}")
            taken = strength(page, photo(folder, 20))
            told = f"median {statistics.median(taken):.0f} ms, slowest {max(taken):.0f} ms"
            print(f"strength, 20 megapixels: {told} of {len(taken)}")
            before = peak_memory(server.pid)
            files = [photo(folder, 24, 100 + number) for number in range(UPLOADS)]
            started = time.perf_counter()
            page.set_input_files("#files", files)
            ready(page, UPLOADS)
            seconds = time.perf_counter() - started
            with page.expect_download(timeout=600_000) as waiting:
                page.locator("#all").click()
            waiting.value.path()
            whole = time.perf_counter() - started
            print(
                f"{UPLOADS} uploads of 24 megapixels: ready in {seconds:.1f} s, all downloaded as "
                f"ZIP in {whole:.1f} s; the server held {peak_memory(server.pid):.0f} MB at most "
                f"({before:.0f} before)"
            )
        server.terminate()
        server.communicate()


if __name__ == "__main__":
    main()
