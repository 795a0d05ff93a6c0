"""The documentation as a site: `make docs`."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))

import rave_mm  # noqa: E402
import rave_mm.register  # noqa: E402, F401 - MMagic imports only after its cures

project = "rave_mm"
author = "The developers of rave_mm"
copyright = f"2026, {author}"  # noqa: A001
version = release = rave_mm.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"rave_mm {version}"

myst_heading_anchors = 4
nb_execution_mode = "off"  # a test executes the notebook, and its outputs are kept

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_rtype = False

# Pages that are files of the repository, which the site has too.
ELSEWHERE = {
    name: f"{name.upper()}.md" for name in ("readme", "changelog", "contributing", "security")
}
ELSEWHERE |= {
    f"methods/{path.parent.name}": path.relative_to(ROOT).as_posix()
    for path in ROOT.glob("configs/*/README.md")
}
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#:\s]+)(#[^)]*)?\)")


def with_links_of_the_site(text: str, folder: Path, page: str) -> str:
    """Have links lead to pages of the site; those to other files of the repository become text.

    Args:
        text: Markdown.
        folder: That its links are relative to.
        page: Where it stands in the site.
    """
    pages = {(ROOT / file).resolve(): DOCS / f"{name}.md" for name, file in ELSEWHERE.items()}

    def link(found: re.Match[str]) -> str:
        name, target, place = found[1], (folder / found[2]).resolve(), found[3] or ""
        target = pages.get(target, target)
        if not target.is_relative_to(DOCS):
            return name.strip("[]")
        return f"{name}({os.path.relpath(target, (DOCS / page).parent)}{place})"

    return _LINK.sub(link, text)


def read(app: Any, page: str, source: list[str]) -> None:
    """Take a page's text from where it stands in the repository."""
    if app.env.doc2path(page, base=False).suffix == ".ipynb":
        return
    file = ROOT / ELSEWHERE[page] if page in ELSEWHERE else DOCS / f"{page}.md"
    source[0] = with_links_of_the_site(file.read_text(encoding="utf-8"), file.parent, page)


def setup(app: Any) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("source-read", read)
    app.add_lexer("mermaid", TextLexer)  # drawn by whoever reads the file on a forge, text here
