"""Makes docs/web.jpg, the picture of the page: `python -m tests.web.picture PHOTO`.

The one there is of data/enhancer/test/real/P1070494.png: `rave-mm prepare-data enhancer` has it.
"""

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser import chromium, page_of
from tests.web.site import serving

WEB = Path(__file__).resolve().parents[2] / "docs" / "web.jpg"
BETWEEN = (122, 126, 136)
EDGE = 25


def screenshot(browser: Browser, url: str, width: int, height: int, scheme: str) -> Image.Image:
    """The page in a window of this size with its first photo opened, reduced to five sixths."""
    size = {"width": width, "height": height}
    with page_of(browser, bypass_csp=True, viewport=size, color_scheme=scheme) as page:
        page.goto(url)
        page.locator("#grid a").first.click()
        expect(page.locator("#score meter")).to_have_count(2)
        page.locator("before-after .layer:not(.cut) > img").first.evaluate("img => img.decode()")
        shot = Image.open(BytesIO(page.screenshot()))
        return shot.resize((width * 5 // 6, height * 5 // 6), Image.Resampling.LANCZOS)


def main(photo: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), photos=(photo,)) as site,
        chromium() as browser,
    ):
        desktop = screenshot(browser, site.url, 1278, 798, "dark")
        phone = screenshot(browser, site.url, 342, 738, "light")
    width = desktop.width + phone.width + 2 * EDGE
    both = Image.new("RGB", (width, desktop.height), BETWEEN)
    both.paste(desktop, (0, 0))
    both.paste(phone, (desktop.width + EDGE, EDGE))
    both.save(WEB, quality=88)
    print(WEB)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
