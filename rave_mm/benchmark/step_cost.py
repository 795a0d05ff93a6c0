"""What a training step costs: its time, its memory, and what it computes and moves."""

import functools
import itertools
import json
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import flop_registry

from rave_mm.clip.cuda_graph import without_graphs

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
    """Bytes that a training step takes at most, beyond what is held before it.

    On a GPU without CUDA graphs, which hold their part of it all the time.
    """
    if device.type == "cuda":
        held = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        with without_graphs():
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


@dataclass
class Work:
    """What the convolutions and matrix products of a step take.

    What is done to one element at a time could be done on the way, and is not counted.

    Attributes:
        operations: Floating-point operations by the unit that does them; a multiplication and an
            addition are two.
        bytes: What they read and write, each tensor once.
    """

    operations: Counter["Unit"] = field(default_factory=Counter)
    bytes: int = 0


class Unit(NamedTuple):
    """What multiplies: the precision of its operands.

    Attributes:
        dtype: In memory.
        tf32: Whether float32 is rounded to TF32 for it, as PyTorch lets GPUs do in convolutions.
    """

    dtype: torch.dtype
    tf32: bool = False


def counted_work(step: Step) -> Work:
    """Count what a step must compute, and what it must move.

    On a GPU it is computed without CUDA graphs, whose operations nobody sees.
    """
    counter = _WorkCounter()
    with counter, without_graphs():
        step()
    return counter.work


def shortest_time(work: Work, device: torch.device) -> float:
    """Seconds below which the machine does not come: its floor for this work.

    It is what the operations take at the rate of a large matrix product in the same precision, or
    what the bytes take at that of a large copy, whichever is longer.
    """
    computing = sum(number / product_rate(device, unit) for unit, number in work.operations.items())
    return max(computing, work.bytes / copy_rate(device))


@functools.cache
def product_rate(device: torch.device, unit: Unit) -> float:
    """Operations per second of a large product of matrices, the best of eight."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device).to(unit.dtype) for _ in range(2))
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = unit.tf32
    try:
        return 2 * side**3 / min(_clock(lambda: a @ b, device) for _ in range(8))
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed


@functools.cache
def copy_rate(device: torch.device) -> float:
    """Bytes per second, read and written, of a large copy, the best of eight."""
    size = 2**30 if device.type == "cuda" else 2**27
    source = torch.empty(size, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    return 2 * size / min(_clock(lambda: target.copy_(source), device) for _ in range(8))


def _clock(call: Step, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


class _WorkCounter(TorchDispatchMode):
    """Adds up what PyTorch knows to count: convolutions and products of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            tensors = [x for x in tree_flatten((args, result))[0] if isinstance(x, Tensor)]
            self.work.bytes += sum(x.numel() * x.element_size() for x in tensors)
            unit = _unit(func, tensors[0])
            self.work.operations[unit] += count(*args, **kwargs, out_val=result)
        return result


def _unit(operation: Any, operand: Tensor) -> Unit:
    if operand.device.type != "cuda" or operand.dtype != torch.float32:
        return Unit(operand.dtype)
    convolves = "convolution" in operation.overloadpacket.__name__
    backend = torch.backends.cudnn if convolves else torch.backends.cuda.matmul
    return Unit(operand.dtype, backend.allow_tf32)
