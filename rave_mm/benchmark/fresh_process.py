"""Measures in a process of its own, whose peak memory is then that of what was measured."""

import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

T = TypeVar("T")

_ROOT = Path(__file__).resolve().parents[2]
# Short measurements are repeated, within these limits.
_SECONDS, _REPEATS = 3.0, 5


class MeasurementError(RuntimeError):
    """A measurement's process that ended without a result."""


def in_fresh_process(measurement: str, **settings: Any) -> dict[str, Any]:
    """Call a function in a new process and wait for what it returns.

    Args:
        measurement: Module and name, such as "rave_mm.benchmark.enhancing:measure".
        **settings: The function's arguments, of JSON's types.

    Returns:
        What the function returns, a dictionary of JSON's types.

    Raises:
        MeasurementError: The process failed or was killed; the message says how it ended.
    """
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", __name__, measurement],
        input=json.dumps(settings),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    # Packages print too, hence the mark.
    results = [line for line in done.stdout.splitlines() if line.startswith("@")]
    if done.returncode == 0 and results:
        return json.loads(results[-1][1:])
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    raise MeasurementError(
        "out of memory, killed by the system"
        if done.returncode == -9
        else f"its process ended with status {done.returncode}: {last}"
    )


def timed(call: Callable[[], T], device: torch.device) -> tuple[T, dict[str, float]]:
    """Call a function, several times if it is quick.

    Returns:
        What it gave last, and the medians of the `seconds` it took and of the `cpu_seconds`, all
        threads together, which other programs on the machine disturb less.
    """
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    while not seconds or (sum(seconds) < _SECONDS and len(seconds) < _REPEATS):
        started, cpu_started = time.perf_counter(), time.process_time()
        result = call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - cpu_started)
    return result, {
        "seconds": statistics.median(seconds),
        "cpu_seconds": statistics.median(cpu_seconds),
    }


def peak_memory(device: torch.device) -> int:
    """The most bytes that this process has held: of main memory, or of the GPU's."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else most_held("self")


def most_held(process: int | str) -> int:
    """The most bytes of main memory that a process has held so far; 0 of one that has ended."""
    # Not getrusage's, which counts what the parent held when it started the process.
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    result = getattr(importlib.import_module(module), name)(**json.load(sys.stdin))
    print(f"\n@{json.dumps(result)}")


if __name__ == "__main__":
    main()
