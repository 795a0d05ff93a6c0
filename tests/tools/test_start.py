"""Tools say what they take before they import what takes seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.loading import TOOLS

# Importing what is None fails.
WITHOUT = """
import runpy, sys
for name in ("torch", "mmengine", "numpy", "cv2", "PIL", "pyvips", "matplotlib", "open_clip"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("tool", sorted(TOOLS.glob("*.py")), ids=lambda path: path.stem)
def test_help_imports_nothing_that_takes_time(tool: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, str(tool), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {tool.name}")


def test_a_mistake_is_told_as_early() -> None:
    command = [sys.executable, "-c", WITHOUT, str(TOOLS / "train.py"), "--cfg-options", "a", "b"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "got 'a', expected KEY=VALUE" in done.stderr


def test_tools_that_train_import_with_numpy_2() -> None:
    """It has no `bool8`, which MMagic asks for: only the cures let MMagic be imported."""
    program = """
import sys
import numpy
known = numpy.__getattr__
def without_bool8(name):
    if name == "bool8":
        raise AttributeError(name)
    return known(name)
numpy.__getattr__ = without_bool8
from tests.tools.loading import load_tool
for name in ("train", "test", "benchmark_losses"):
    load_tool(name)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=TOOLS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
