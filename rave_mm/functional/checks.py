"""What the equations ask of their arguments, and the precision that they compute in."""

import torch
from torch import Tensor

DEGENERATE = 1e-6
"""What is shorter has no direction."""


def at_least_float32(tensor: Tensor) -> Tensor:
    """A tensor of 16 bits in float32, any other as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def check_rows(name: str, rows: Tensor, width: int | None = None) -> None:
    """Refuse, by ValueError, what is not (N, width) or empty."""
    if rows.ndim != 2 or 0 in rows.shape or (width is not None and rows.shape[1] != width):
        raise ValueError(
            f"got {name} of shape {tuple(rows.shape)}; "
            f"expected (N, {'D' if width is None else width}) with N above 0"
        )


def check_vector(vector: Tensor, width: int) -> None:
    """Refuse, by ValueError, a residual vector that is not (width,)."""
    if vector.shape != (width,):
        raise ValueError(
            f"got a residual vector of shape {tuple(vector.shape)}; expected ({width},), the "
            "width of the embeddings: were they computed with the same CLIP model?"
        )


def check_finite(name: str, values: Tensor) -> None:
    """Refuse, by ValueError, NaN and infinity, and name the rows."""
    finite = values.isfinite()
    if not finite.all():
        rows = (~finite).nonzero()[:, 0].unique().tolist()
        raise ValueError(
            f"got NaN or infinity in {name} at {rows[:10]}{' ...' if len(rows) > 10 else ''} "
            f"({len(rows)} of {len(values)}); expected finite values: check the photographs and "
            "the precision CLIP ran in"
        )


def direction_of(vector: Tensor, why_degenerate: str) -> Tensor:
    """A vector brought to length 1; ValueError where it has none, which says why."""
    length = vector.norm()
    if length < DEGENERATE:
        raise ValueError(f"cannot normalise a vector of length {length:.2g}: {why_degenerate}")
    return vector / length
