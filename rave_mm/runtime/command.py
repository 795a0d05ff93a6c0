"""The running command as its user typed it: `rave-mm train`, or a clone's `tools/train.py`."""

import re
import sys
from pathlib import Path
from typing import NoReturn

_CONSOLE = "rave-mm "
_TOOL = re.compile(r"(?:python )?\btools/(\w+)\.py")


def command_name() -> str:
    """Such as `rave-mm train`, or `tools/train.py`."""
    started = sys.argv[0]
    return started if started.startswith(_CONSOLE) else f"tools/{Path(started).name}"


def as_typed(text: str) -> str:
    """A text that names tools as a clone runs them, for whoever started `rave-mm` instead.

    Args:
        text: With `python tools/train.py`, or `tools/train.py`, in it.
    """
    if not sys.argv[0].startswith(_CONSOLE):
        return text
    return _TOOL.sub(lambda found: _CONSOLE + found[1].replace("_", "-"), text)


def stop(reason: object) -> NoReturn:
    """End with exit status 1 and a line on stderr: the command's name, and the reason.

    Args:
        reason: An error, or a sentence; tools are named as :func:`as_typed` has them.

    Raises:
        SystemExit: Always.
    """
    sys.exit(f"{command_name()}: {as_typed(str(reason))}")
