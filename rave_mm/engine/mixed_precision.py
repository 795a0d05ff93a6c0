"""Training in bfloat16, on a GPU or on a CPU that has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmagic.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper
from torch import nn

_INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """An optimizer whose model runs under autocast to bfloat16, on the device where it is.

    bfloat16 has the range of float32, so the loss is not scaled. That is what sets it apart from
    MMEngine's `AmpOptimWrapper`, which also wants a GPU. A frozen CLIP keeps its own precision.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run what is inside under autocast."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


def cpu_has_bfloat16(description: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this machine's CPU multiplies in bfloat16 (AVX-512 BF16 or AMX).

    Others emulate it, which is slower than float32.

    Args:
        description: The file in which Linux describes the CPU.
    """
    return bool(_INSTRUCTIONS & set(description.read_text().split()))
