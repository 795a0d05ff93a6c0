"""An optimizer under autocast to bfloat16."""

from pathlib import Path

import pytest
import torch
from mmagic.registry import OPTIM_WRAPPERS
from torch import nn

from rave_mm.engine.mixed_precision import BFloat16OptimWrapper, cpu_has_bfloat16


def test_products_are_bfloat16_and_weights_float32() -> None:
    model = nn.Linear(4, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    wrapper = OPTIM_WRAPPERS.build({"type": "BFloat16OptimWrapper", "optimizer": optimizer})
    assert isinstance(wrapper, BFloat16OptimWrapper)
    with wrapper.optim_context(model):
        result = model(torch.tensor([[1.0, 2, 3, 4]]))
    assert result.dtype is torch.bfloat16
    assert model(torch.ones(1, 4)).dtype is torch.float32  # outside, all is as it was
    wrapper.update_params(result.float().sum())
    assert model.weight.dtype is torch.float32
    assert model.weight.tolist() == [[0.5, 0, -0.5, -1]]


def test_large_gradients_are_not_scaled() -> None:
    """MMEngine's scale of 65536 would make them infinite, and skip the step."""
    parameter = nn.Parameter(torch.ones(2))
    wrapper = BFloat16OptimWrapper(torch.optim.SGD([parameter], lr=0.5))
    wrapper.update_params((parameter * torch.tensor([2.0, 3e38])).sum())
    torch.testing.assert_close(parameter.detach(), torch.tensor([0.0, -1.5e38]))


@pytest.mark.parametrize(
    ("flags", "has_it"),
    [("fpu sse2 avx512f", False), ("fpu avx512_bf16", True), ("amx_bf16 amx_int8", True)],
)
def test_what_a_cpu_says_of_itself(tmp_path: Path, flags: str, has_it: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name\t: a CPU\nflags\t\t: {flags}\nbogomips : 1\n")
    assert cpu_has_bfloat16(tmp_path / "cpuinfo") is has_it
