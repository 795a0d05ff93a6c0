"""What a training step costs: its time, its memory, and what it computes and moves."""

import itertools
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode

Step = Callable[[], object]


def spent_time(step: Step, device: torch.device) -> float:
    """Seconds of a training step.

    On a CPU the process's own time, into which other work on the machine does not count; on a GPU
    the clock's.
    """
    if device.type == "cpu":
        start = time.process_time()
        step()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def taken_memory(step: Step, device: torch.device) -> int:
    """Bytes that a training step takes at most, beyond what is held before it."""
    if device.type == "cuda":
        held = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return torch.cuda.max_memory_allocated(device) - held
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it keeps one cycle, which is all
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            step()
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = sorted((e["ts"], e["args"]["Bytes"]) for e in events if e["name"] == "[memory]")
    return max(itertools.accumulate(size for _, size in changes))


def counted_work(step: Step) -> tuple[int, int]:
    """Count what a step must compute, and what it must move.

    Returns:
        Floating-point operations of its convolutions and matrix products, a multiplication and an
        addition being two; and the bytes that these read and write, each tensor once. What is
        done to one element at a time could be done on the way, and is not counted.
    """
    traffic = _Traffic()
    with FlopCounterMode(display=False) as operations, traffic:
        step()
    return operations.get_total_flops(), traffic.bytes


def ceilings(device: torch.device, precision: torch.dtype) -> tuple[float, float]:
    """Measure what the machine can do at best.

    Returns:
        Operations per second, of a large product of matrices; and bytes per second, read and
        written, of a large copy.
    """
    side, size = (8192, 2**30) if device.type == "cuda" else (2048, 2**27)
    a, b = (torch.randn(side, side, device=device).to(precision) for _ in range(2))
    source = torch.empty(size, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    product = min(_clock(lambda: a @ b, device) for _ in range(8))
    copy = min(_clock(lambda: target.copy_(source), device) for _ in range(8))
    return 2 * side**3 / product, 2 * size / copy


def _clock(call: Step, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


class _Traffic(TorchDispatchMode):
    """Adds up the bytes of what convolutions and matrix products take and give."""

    _COUNTED = ("convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm")

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in self._COUNTED:
            for value in tree_flatten((args, result))[0]:
                if isinstance(value, Tensor):
                    self.bytes += value.numel() * value.element_size()
        return result
