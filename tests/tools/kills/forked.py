"""Tools in processes that start at once: forked from one that has imported what they import."""

import importlib
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path

from tests.tools.loading import load_tool

# What the tools import only when they come to it, and every process would import anew.
for late in ("sklearn.decomposition", "torch.utils.tensorboard", "rave_mm.register"):
    importlib.import_module(late)

TOOLS = {name: load_tool(name) for name in ("train", "enhance")}
WHILE_WRITING = 0.6


def start(tool: str, arguments: Sequence[str | Path], log: Path) -> ForkProcess:
    """Run a tool; what it prints is added to the log."""
    command = [f"{tool}.py", *map(str, arguments)]
    process = multiprocessing.get_context("fork").Process(target=_run, args=(tool, command, log))
    process.start()
    return process


def _run(tool: str, command: list[str], log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = command
    TOOLS[tool].main()


def kill_at_a_random_moment(
    process: ForkProcess, folder: Path, pattern: str, longest: float, rng: random.Random
) -> bool:
    """Kill (SIGKILL) six times in ten while a file is being written, else at any moment.

    Args:
        process: It writes files aside, as `rave_mm.runtime.whole_files` does.
        folder: Where it writes.
        pattern: Of the files to wait for.
        longest: Seconds after which it is killed at last.
        rng: Chooses.

    Returns:
        Whether it was killed, and had not ended before.
    """
    if rng.random() < WHILE_WRITING:
        # A new name in the folder: a file is being written. Now, or at one of the next.
        before, skip, moment = _files(folder, pattern), rng.randrange(4), rng.uniform(0, 0.01)
        while process.is_alive():
            now = _files(folder, pattern)
            if now != before:
                before, skip = now, skip - 1
                if skip < 0:
                    time.sleep(moment)
                    break
            time.sleep(0.0005)
    else:
        process.join(rng.uniform(0, longest))
    killed = process.is_alive()
    process.kill()
    process.join()
    return killed and process.exitcode != 0


def _files(folder: Path, pattern: str) -> set[str]:
    return {str(path) for path in folder.rglob(pattern)}
