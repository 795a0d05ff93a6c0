"""CLIP-LIT's identity loss."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rave_mm.functional.checks import at_least_float32


def identity_loss(
    features: Sequence[Tensor],
    reference_features: Sequence[Tensor],
    layer_weights: Sequence[float],
) -> Tensor:
    """Identity loss ``sum_batch sum_l w_l MSE(F_l(y), F_l(x))`` (CLIP-LIT).

    It sums over the batch, as the published code does, while the guidance losses average.

    Args:
        features: Feature maps of the enhanced images, one (N, C_l, H_l, W_l) for each layer.
        reference_features: Those of the input images, of the same shapes.
        layer_weights: ``w_l``, one for each layer.

    Returns:
        The loss, a scalar without its weight.

    Raises:
        ValueError: If the counts or shapes differ, or there is nothing to compare.
    """
    if not features or not len(features) == len(reference_features) == len(layer_weights):
        raise ValueError(
            f"got {len(features)} feature maps, {len(reference_features)} reference feature maps "
            f"and {len(layer_weights)} layer weights; expected the same number of each, not 0"
        )
    terms = []
    for layer, (found, wanted) in enumerate(zip(features, reference_features, strict=True)):
        if found.shape != wanted.shape or found.ndim < 2 or found.numel() == 0:
            raise ValueError(
                f"got features {tuple(found.shape)} and reference features {tuple(wanted.shape)} "
                f"in layer {layer}; expected two equal shapes (N, C, H, W), not empty"
            )
        squares = F.mse_loss(at_least_float32(found), at_least_float32(wanted), reduction="sum")
        terms.append(layer_weights[layer] * squares / found[0].numel())
    return torch.stack(terms).sum()
