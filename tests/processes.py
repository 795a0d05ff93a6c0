"""Several processes, as torchrun starts them, forked from one that has imported what they import.

Importing it anew takes each of them eight seconds. `tests/tools/test_several_processes.py` has a
training by torchrun itself.
"""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from tests.tools.loading import load_tool

multiprocessing.set_forkserver_preload(
    ["rave_mm.register", "sklearn.decomposition", "torch.utils.tensorboard", "tests.processes"]
)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def run_in_processes(count: int, function: Callable[..., object], *arguments: Any) -> str:
    """Run a function in several processes that torchrun's variables tell of each other.

    They have this process's environment and folder, no GPU, and one thread each.

    Args:
        count: Of processes.
        function: Of a module, so that they find it.
        arguments: Of the function.

    Returns:
        What the first one printed, and its log.
    """
    port = free_port()
    context = multiprocessing.get_context("forkserver")
    logs = [Path(f"process{rank}.log").absolute() for rank in range(count)]
    started = []
    for rank, log in enumerate(logs):
        settings = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "CUDA_VISIBLE_DEVICES": "",
        }
        given = (settings, str(Path.cwd()), log, function, arguments)
        started.append(context.Process(target=_run, args=given))
        started[-1].start()
    for process in started:
        process.join(300)
        process.kill()  # one that hangs
    told = [log.read_text() for log in logs]
    assert [process.exitcode for process in started] == [0] * count, "\n".join(told)
    return told[0]


def _run(
    settings: dict[str, str],
    folder: str,
    log: Path,
    function: Callable[..., object],
    arguments: Sequence[Any],
) -> None:
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(settings)
    os.chdir(folder)
    torch.set_num_threads(1)
    function(*arguments)


def run_tool(name: str, *arguments: object) -> None:
    """Run `tools/NAME.py`, as a function for :func:`run_in_processes`."""
    sys.argv = [f"{name}.py", *map(str, arguments)]
    load_tool(name).main()


def run_tool_by_slurm(name: str, *arguments: object) -> None:
    """As :func:`run_tool`, in a process that has what srun tells it, not what torchrun does."""
    names = {"RANK": "SLURM_PROCID", "LOCAL_RANK": "SLURM_LOCALID", "WORLD_SIZE": "SLURM_NTASKS"}
    for torchruns, slurms in names.items():
        os.environ[slurms] = os.environ.pop(torchruns)
    run_tool(name, *arguments)
