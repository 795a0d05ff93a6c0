"""The notebook runs from its top, and has its pictures where it is only looked at."""

import json
from pathlib import Path

import nbformat
import pytest

from tests.tutorial import TUTORIAL, execute


def pictures(notebook: nbformat.NotebookNode) -> int:
    kinds = [
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    ]
    return sum(kind.startswith("image/") for kind in kinds)


def test_its_outputs_are_kept() -> None:
    """`python -m tests.tutorial` writes them."""
    notebook = nbformat.read(TUTORIAL, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code) and pictures(notebook) == 3
    text = json.dumps(notebook)
    assert '"output_type": "error"' not in text and "/tmp/" not in text
    assert "site-packages" not in text, "no folder of the machine that made them"
    assert TUTORIAL.stat().st_size < 2e6


@pytest.mark.slow
def test_it_runs(tmp_path: Path) -> None:
    """Ten iterations are better than none, and the network that ships is better yet."""
    notebook = execute(tmp_path)
    text = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    found = [line.split() for line in text.splitlines() if line.endswith(" dB")]
    levels = [float(words[-2]) for words in found]
    assert len(levels) == 3 and levels == sorted(levels) and levels[2] > levels[0] + 5
    assert "a well-lit photo" in text
