"""What a frozen tower computes on a GPU, started as one CUDA graph.

At the size that CLIP sees, a GPU computes faster than Python starts its kernels, and the CLIPs of a
training step have 1500. A graph starts them all at once. They are the same kernels on the same
weights, so it gives the same values.
"""

import os
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Function = Callable[[Tensor], tuple[Tensor, ...]]

#: A graph keeps memory of its own, so only a shape that comes often gets one, and few shapes do.
CALLS_BEFORE, _MOST_GRAPHS = 3, 4
#: Libraries choose their kernels and take memory in their first calls, which cannot be recorded.
_WARM_UP = 3
_allowed = True


@contextmanager
def without_graphs() -> Iterator[None]:
    """Call the functions themselves inside, so that their operations can be counted."""
    global _allowed
    before, _allowed = _allowed, False
    try:
        yield
    finally:
        _allowed = before


class GraphedFunction:
    """A function of one tensor, as CUDA graphs where that can be.

    It is called like the function and gives the same. A shape that comes often on a GPU gets a
    graph, for the values and for the gradient. The graph has only one set of activations. So while
    it still owes a gradient, the function itself is called, as it is for other shapes and on a CPU.

    Args:
        function: Of a tensor, to a tuple of tensors. It depends on nothing that changes, unless
            :meth:`forget` is told.
        recordable: Whether it can be recorded: no value decides what it computes. Otherwise it is
            always called.
    """

    def __init__(self, function: Function, recordable: bool = True) -> None:
        self._function = function
        self._recordable = recordable
        self._calls: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, RecordedFunction] = {}

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """The function of `x`.

        Raises:
            RuntimeError: in the backward pass, if a gradient is asked for again after another
                result was computed.
        """
        if not (self._recordable and _can_record(x)):
            return self._function(x)
        learns = torch.is_grad_enabled() and x.requires_grad
        kind = (x.shape, x.stride(), x.dtype, x.device, learns)
        if kind not in self._graphs:
            self._calls[kind] += 1
            if self._calls[kind] <= CALLS_BEFORE or len(self._graphs) == _MOST_GRAPHS:
                return self._function(x)
            with torch.inference_mode(False):  # it is kept, and others may use it later
                self._graphs[kind] = RecordedFunction(self._function, x, learns)
        graph = self._graphs[kind]
        if not learns:
            return graph.values(x)
        if graph.owes_gradient:
            return self._function(x)
        outputs: tuple[Tensor, ...] = _Replay.apply(x, graph)
        return outputs

    def forget(self) -> None:
        """Drop the graphs: the function's weights have moved to another place in memory."""
        self._calls.clear()
        self._graphs.clear()


class RecordedFunction:
    """A function of tensors like `x`, and its gradient, recorded once and replayed.

    Args:
        function: As :class:`GraphedFunction` takes it.
        x: On a GPU.
        learns: Whether the gradient is recorded too.

    Attributes:
        uses: How often the values were computed.
    """

    def __init__(self, function: Function, x: Tensor, learns: bool) -> None:
        self.uses = 0
        self._debt: weakref.ref[GradientDebt] | None = None
        self._input = x.detach().clone().requires_grad_(learns)
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        current, side = torch.cuda.current_stream(x.device), torch.cuda.Stream(x.device)
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                outputs = function(self._input)
                if learns:
                    torch.autograd.grad(outputs, self._input, [o.detach() for o in outputs])
        current.wait_stream(side)
        # Other threads, such as the one that pins batches, go on meanwhile.
        recording = partial(torch.cuda.graph, stream=side, capture_error_mode="thread_local")
        with recording(self._forward):
            outputs = function(self._input)
        self._outputs = tuple(output.detach() for output in outputs)
        if learns:
            self._output_gradients = [torch.zeros_like(output) for output in outputs]
            with recording(self._backward, pool=self._forward.pool()):
                # The activations are kept, because a gradient may be asked for several times.
                (self._gradient,) = torch.autograd.grad(
                    outputs, self._input, self._output_gradients, retain_graph=True
                )

    @property
    def owes_gradient(self) -> bool:
        """Whether the last values' gradient may still be asked for, and was not yet."""
        return self._debt is not None and self._debt() is not None

    def owe(self, debt: "GradientDebt") -> None:
        """Keep the last values' activations as long as `debt` lives."""
        self._debt = weakref.ref(debt)

    def values(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the function gives for `x`, without a gradient of its own."""
        self.uses += 1
        self._input.detach().copy_(x)
        self._forward.replay()
        return tuple(output.clone() for output in self._outputs)

    def gradient(self, output_gradients: tuple[Tensor, ...]) -> Tensor:
        """That of the last values' input."""
        for kept, given in zip(self._output_gradients, output_gradients, strict=True):
            kept.copy_(given)
        self._backward.replay()
        return self._gradient.clone()


class GradientDebt:
    """Lives until a gradient was computed, or until nobody can ask for it any more."""


def _can_record(x: Tensor) -> bool:
    return (
        _allowed
        and x.is_cuda
        # Within another graph, or what torch.compile makes, it is one already.
        and not torch.compiler.is_compiling()
        and not torch.cuda.is_current_stream_capturing()
        # Whoever looks for a mistake waits for every kernel, which a recording cannot.
        and not torch.is_anomaly_enabled()
        and os.environ.get("CUDA_LAUNCH_BLOCKING", "0") == "0"
    )


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, graph: RecordedFunction) -> tuple[Tensor, ...]:
        values = graph.values(x)
        ctx.graph, ctx.use, ctx.debt = graph, graph.uses, GradientDebt()
        graph.owe(ctx.debt)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *output_gradients: Tensor) -> tuple[Tensor, None]:
        graph: RecordedFunction = ctx.graph
        if graph.uses != ctx.use:
            raise RuntimeError(
                "the gradient through a frozen CLIP was asked for again after the CLIP had got the "
                "next pictures; take all gradients of a batch before the next one"
            )
        ctx.debt = None
        return graph.gradient(output_gradients), None
