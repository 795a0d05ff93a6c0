"""Frozen towers as CUDA graphs: the same values and gradients, whoever asks in whatever order.

What a graph computes needs a GPU. When one is used, and for how long its only set of activations
holds, is tested on a CPU too, with a recording that has one set of activations likewise.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor

from rave_mm.clip import cuda_graph
from rave_mm.clip.cuda_graph import CALLS_BEFORE, GraphedFunction, without_graphs
from rave_mm.clip.encoder import FrozenCLIP

Outputs = tuple[Tensor, ...]


class Recording(cuda_graph.RecordedFunction):
    """A recording on a CPU: what it replays reads and writes the same memory each time."""

    made = 0

    def __init__(self, function: Callable[[Tensor], Outputs], x: Tensor, learns: bool) -> None:
        type(self).made += 1
        self.uses, self._debt = 0, None
        self._function, self._input = function, x.detach().clone()
        self._outputs: Any = tuple(torch.zeros_like(output) for output in function(self._input))

    def values(self, x: Tensor) -> Outputs:
        self.uses += 1
        self._input.copy_(x)
        for output, value in zip(self._outputs, self._function(self._input), strict=True):
            output.copy_(value)
        return tuple(output.clone() for output in self._outputs)

    def gradient(self, output_gradients: Outputs) -> Tensor:
        x = self._input.clone().requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(self._function(x), x, output_gradients)[0]


def both(x: Tensor) -> Outputs:
    return x.square(), x.sin()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> GraphedFunction:
    monkeypatch.setattr(cuda_graph, "RecordedFunction", Recording)
    monkeypatch.setattr(cuda_graph, "_can_record", lambda x: True)
    monkeypatch.setattr(Recording, "made", 0)
    return GraphedFunction(both)


def rows(seed: int, learns: bool = True) -> Tensor:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
    return x.requires_grad_(learns)


def use_often(function: GraphedFunction, learns: bool = True) -> None:
    for seed in range(CALLS_BEFORE + 1):
        outputs = function(rows(seed, learns))
        if learns:
            outputs[0].sum().backward()


def gradient(outputs: Outputs, x: Tensor, again: bool = False) -> Tensor:
    return torch.autograd.grad(sum(o.sum() for o in outputs), x, retain_graph=again)[0]


def test_what_looks_for_mistakes_or_counts_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    on_gpu = SimpleNamespace(is_cuda=True)
    assert cuda_graph._can_record(on_gpu) and not cuda_graph._can_record(torch.ones(1))
    with without_graphs():
        assert not cuda_graph._can_record(on_gpu)
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        assert not cuda_graph._can_record(on_gpu)
    monkeypatch.setenv("CUDA_LAUNCH_BLOCKING", "1")
    assert not cuda_graph._can_record(on_gpu)


def test_a_shape_is_recorded_when_it_comes_often(recorded: GraphedFunction) -> None:
    for seed in range(CALLS_BEFORE):
        recorded(rows(seed, learns=False))
    assert Recording.made == 0
    recorded(rows(7, learns=False))
    recorded(rows(8, learns=False))
    assert Recording.made == 1
    recorded(rows(8, learns=False)[:2])
    recorded(rows(8, learns=True))
    assert Recording.made == 1  # neither another shape nor a gradient was recorded


def test_few_shapes_are_recorded(recorded: GraphedFunction) -> None:
    for length in range(1, 9):
        for _ in range(CALLS_BEFORE + 1):
            recorded(torch.ones(length))
    assert Recording.made == 4


@pytest.mark.parametrize("learns", [False, True])
def test_results_stay_when_others_are_computed(recorded: GraphedFunction, learns: bool) -> None:
    use_often(recorded, learns)
    inputs = [rows(seed, learns) for seed in range(3)]
    for x, outputs in [(x, recorded(x)) for x in inputs]:
        for output, expected in zip(outputs, both(x), strict=True):
            assert torch.equal(output, expected)


def test_gradients_of_results_that_exist_side_by_side(recorded: GraphedFunction) -> None:
    use_often(recorded)
    inputs = [rows(seed) for seed in range(3)]
    results = [recorded(x) for x in inputs]
    for x, outputs in zip(inputs, results, strict=True):
        torch.testing.assert_close(gradient(outputs, x), 2 * x + x.cos())
    assert Recording.made == 1


def test_a_gradient_that_nobody_can_ask_for_is_not_waited_for(recorded: GraphedFunction) -> None:
    use_often(recorded)
    (graph,) = recorded._graphs.values()
    outputs = recorded(rows(0))
    assert graph.owes_gradient
    del outputs
    assert not graph.owes_gradient


def test_losses_measured_one_by_one_and_then_together(recorded: GraphedFunction) -> None:
    use_often(recorded)
    x = rows(0)
    squares, sines = recorded(x)
    torch.testing.assert_close(gradient((squares,), x, again=True), 2 * x.detach())
    torch.testing.assert_close(gradient((sines,), x, again=True), x.detach().cos())
    torch.testing.assert_close(gradient((squares, sines), x), 2 * x.detach() + x.detach().cos())


def test_a_gradient_after_the_next_result_is_refused(recorded: GraphedFunction) -> None:
    use_often(recorded)
    first, second = rows(0), rows(1)
    outputs = recorded(first)
    gradient(outputs, first, again=True)
    recorded(second)
    with pytest.raises(RuntimeError, match="take all gradients of a batch before the next one"):
        gradient(outputs, first)


def test_what_inference_mode_has_recorded_serves_everybody(recorded: GraphedFunction) -> None:
    with torch.inference_mode():
        use_often(recorded, learns=False)
    x = rows(7, learns=False)
    assert torch.equal(recorded(x)[0], x.square())
    assert Recording.made == 1


def test_forgotten_graphs_are_recorded_anew(recorded: GraphedFunction) -> None:
    use_often(recorded)
    recorded.forget()
    use_often(recorded)
    assert Recording.made == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
@pytest.mark.parametrize("model", ["ViT-B-32-quickgelu", "RN50-quickgelu"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_tower_on_a_gpu(model: str, precision: str, tmp_path: Any) -> None:
    weights = tmp_path / "clip.pt"
    torch.save(open_clip.create_model(model).state_dict(), weights)
    clip = FrozenCLIP(model, str(weights), precision)
    generator = torch.Generator().manual_seed(0)
    asked = [clip.embed]
    if model.startswith("RN"):
        asked.append(lambda photos: torch.cat([m.flatten(1) for m in clip.feature_maps(photos)], 1))
    for ask in asked:
        for _ in range(CALLS_BEFORE + 3):
            x = torch.rand(3, 3, 256, 256, generator=generator).cuda().requires_grad_()
            with without_graphs():
                expected = ask(x)
            weight = torch.randn(expected.shape, generator=generator).cuda()
            (wanted,) = torch.autograd.grad(expected, x, weight)
            found = ask(x)
            (got,) = torch.autograd.grad(found, x, weight)
            assert torch.equal(found, expected)
            assert (got - wanted).norm() < 1e-5 * wanted.norm()
            with torch.no_grad():
                assert torch.equal(ask(x), expected)
    kept = clip._encode._graphs, clip._map._graphs
    assert [len(graphs) for graphs in kept] == [2, 2 * (len(asked) - 1)]
    on_cpu = clip.embed(x.detach().cpu())  # the weights move, and the graphs with them
    assert not any(kept)
    torch.testing.assert_close(on_cpu, clip.embed(x.detach()).cpu(), atol=2e-2, rtol=0)
