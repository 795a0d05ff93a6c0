"""Embeddings to compute with."""

import torch
import torch.nn.functional as F
from torch import Tensor


def unit_rows(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape), dim=-1)
