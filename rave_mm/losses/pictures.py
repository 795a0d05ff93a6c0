"""What MMagic's models hand to a loss: one result or several, photos or clips, in some range."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import interpolate

Results: TypeAlias = Tensor | Sequence[Tensor]
"""(N, C, H, W), or a clip (N, T, C, H, W); or a list of such at several scales."""

#: How far outside the stated range a target may lie, in parts of that range: noise and bicubic
#: resizing overshoot a little, another range by more.
TOLERANCE = 0.25


def by_scale(pred: Results, target: Results | None = None) -> list[tuple[Tensor, Tensor | None]]:
    """Pair each of a model's results with what it is compared with.

    Args:
        pred: what the model returns.
        target: what it hands over with it. Beside a list of results it is a list of as many, or one
            for all, which is averaged over areas to the size of each result. It gets no gradient.

    Returns:
        A pair for each result; None stands for no target.

    Raises:
        ValueError: no result, or another number of targets.
        TypeError: a result that is no tensor.
    """
    results = [pred] if isinstance(pred, Tensor) else list(pred)
    for result in results:
        if not isinstance(result, Tensor):
            raise TypeError(
                f"got a result of type {type(result).__name__}; expected a tensor, or a list of "
                "tensors: this model returns something else than pictures"
            )
    if target is not None and not isinstance(target, Tensor):
        targets: list[Tensor | None] = [one.detach() for one in target]
    elif target is None or isinstance(pred, Tensor):
        targets = [None if target is None else target.detach()] * len(results)
    else:
        targets = [_at_size_of(result, target.detach()) for result in results]
    if not results or len(results) != len(targets):
        raise ValueError(
            f"got {len(results)} results and {len(targets)} targets; expected one result or more, "
            "and one target, or as many as results"
        )
    return list(zip(results, targets, strict=True))


def _at_size_of(result: Tensor, target: Tensor) -> Tensor:
    if target.shape[-2:] == result.shape[-2:]:
        return target
    averaged = interpolate(frames(target), result.shape[-2:], mode="area")
    return averaged.unflatten(0, target.shape[:-3])


def frames(pictures: Tensor) -> Tensor:
    """Photos (N, C, H, W) as they are, clips (N, T, C, H, W) as N * T photos.

    Raises:
        ValueError: another shape.
    """
    if pictures.ndim not in (4, 5):
        raise ValueError(
            f"got pictures of shape {tuple(pictures.shape)}; expected (N, C, H, W), or clips "
            "(N, T, C, H, W)"
        )
    return pictures.flatten(0, 1) if pictures.ndim == 5 else pictures


def check_values(
    pictures: Tensor, value_range: tuple[float, float], name: str
) -> tuple[float, float]:
    """Refuse values that lie far outside their range. On a GPU it waits for them.

    Args:
        pictures: any shape.
        value_range: (black, white).
        name: of the loss, for the message.

    Returns:
        Their smallest and largest value.

    Raises:
        ValueError: a value is outside by more than :data:`TOLERANCE` of the range.
    """
    black, white = value_range
    low, high = torch.stack(torch.aminmax(pictures.detach())).tolist()
    margin = TOLERANCE * (white - black)
    if low < black - margin or high > white + margin:
        raise ValueError(
            f"{name}: got pictures with values in {low:.4g} to {high:.4g}, expected "
            f"value_range={value_range}; state the (black, white) that this model's "
            "data_preprocessor gives its pictures"
        )
    return low, high
