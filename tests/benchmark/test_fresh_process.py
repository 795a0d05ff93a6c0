"""A process of its own gives its result and nobody else's memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rave_mm.benchmark.fresh_process import MeasurementError, in_fresh_process, peak_memory, timed

CPU = torch.device("cpu")


def test_peak_memory_is_that_of_the_process() -> None:
    held = np.ones(15 * 10**7)  # 1.2 GB, more than a process with PyTorch
    found = in_fresh_process("test_fresh_process:allocate", megabytes=300)
    more = in_fresh_process("test_fresh_process:allocate", megabytes=500)
    assert found["process"] != os.getpid()
    assert 300e6 < found["peak"] < held.nbytes
    assert more["peak"] - found["peak"] == pytest.approx(200e6, rel=0.05)


@pytest.mark.parametrize(
    ("name", "message"),
    [("refuse", "status 1: ValueError: no such way"), ("die", "out of memory, killed")],
)
def test_failures(name: str, message: str) -> None:
    with pytest.raises(MeasurementError, match=message):
        in_fresh_process(f"test_fresh_process:{name}")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def test_quick_calls_are_repeated() -> None:
    calls: list[int] = []
    result, times = timed(lambda: calls.append(1) or len(calls), CPU)
    assert result == len(calls) == 5
    assert 0 <= times["seconds"] < 1 and times["cpu_seconds"] >= 0


def allocate(megabytes: int) -> dict[str, Any]:
    print("@ what a package says")
    held = np.ones(megabytes * 10**6, np.uint8)
    return {"process": os.getpid(), "peak": peak_memory(CPU), "held": len(held)}


def refuse() -> dict[str, Any]:
    raise ValueError("no such way")


def die() -> dict[str, Any]:
    os.kill(os.getpid(), 9)
    return {}
