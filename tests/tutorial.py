"""Executes docs/tutorial.ipynb: `python -m tests.tutorial` writes it anew, with its outputs.

Outputs are kept without what differs from machine to machine: folders, and colours of a terminal.
"""

import json
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TUTORIAL = Path(__file__).resolve().parents[1] / "docs" / "tutorial.ipynb"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WIDGETS = re.compile(r"^.*TqdmWarning.*\n.*autonotebook.*\n", re.MULTILINE)


def execute(folder: Path) -> nbformat.NotebookNode:
    """Run the tutorial from its top, with this Python, in a folder.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell has failed.
    """
    notebook = nbformat.read(TUTORIAL, as_version=4)
    settings = {
        "kernel_name": "python3",
        "timeout": 300,
        "resources": {"metadata": {"path": str(folder)}},
    }
    # The kernel is this Python: jupyter's list of kernels may name another.
    specs = folder / "kernels" / "kernels" / "python3"
    specs.mkdir(parents=True)
    arguments = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (specs / "kernel.json").write_text(
        json.dumps({"argv": arguments, "display_name": "Python 3", "language": "python"})
    )
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(folder / "kernels")
    try:
        NotebookClient(notebook, **settings).execute()
    finally:
        os.environ.pop("JUPYTER_PATH")
        if before is not None:
            os.environ["JUPYTER_PATH"] = before
    return notebook


def tidied(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Keep of the outputs what tells a reader something."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        texts: list[nbformat.NotebookNode] = []
        for output in cell.get("outputs", []):
            if output.output_type != "stream":
                output.get("data", {}).pop("image/png" if "image/jpeg" in output.data else "", None)
            elif texts and texts[-1].output_type == "stream":
                texts[-1].text += output.text
                continue
            texts.append(output)
        for output in texts:
            if output.output_type == "stream":
                text = _COLOUR.sub("", output.text).replace(str(folder), "~")
                text = _WIDGETS.sub("", text)
                output.name, output.text = "stdout", re.sub(r"\n{2,}", "\n", text).lstrip("\n")
        if "outputs" in cell:
            cell.outputs = texts
    return notebook


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        done = tidied(execute(Path(name)), Path(name))
        nbformat.write(done, TUTORIAL)
        print(f"{TUTORIAL}: {TUTORIAL.stat().st_size / 1e6:.1f} MB")
