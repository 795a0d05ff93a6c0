"""The code blocks of README and docs; `tests/test_docs.py` says what `not run` means."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"(<!-- not run: .+? -->\n)?^```(\{?\w*\}?)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
SHOWN = ("text", "bibtex", "mermaid", "{toctree}", "{eval-rst}")


@dataclass(frozen=True)
class Block:
    kind: str
    code: str
    runs: bool


def blocks(page: str) -> Iterator[Block]:
    """The code of a page, without what is only shown."""
    for reason, kind, code in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if kind not in SHOWN:
            yield Block(kind or "shell", code, not reason)
