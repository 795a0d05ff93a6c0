"""Tools are scripts, which no import finds."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer

TOOLS = Path(__file__).parents[2] / "tools"


def load_tool(name: str) -> ModuleType:
    """A new module of `tools/NAME.py`, as if a process of its own had imported it.

    MMEngine has one logger, hub and visualizer for runs of one name that begin in the same second:
    the second run of a test would write into the folder of the first.
    """
    for shared in (MMLogger, MessageHub, Visualizer, *Visualizer.__subclasses__()):
        shared._instance_dict.clear()
    spec = importlib.util.spec_from_file_location(f"tool_{name}", TOOLS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its data classes look
    spec.loader.exec_module(module)
    return module
