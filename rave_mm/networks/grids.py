"""Pooling a picture to a coarse grid and spreading a grid over a picture, as products of matrices.

Both are linear in the rows and in the columns. As matrix products they are exact for any window of
the picture, and fast: PyTorch's own upsampling of a 1x1 grid to 512x512 pixels adds its gradient up
one atomic operation at a time, which took three quarters of a training step on a GPU.
"""

import torch
from torch import Tensor


def averaging_weights(
    cells: int,
    size: int,
    start: int = 0,
    stop: int | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """What each of the pixels `start` to `stop` counts for in each cell's mean.

    As adaptive average pooling has it, cell i is floor(i size / cells) to
    ceil((i + 1) size / cells): neighbours may share a pixel.

    Args:
        cells: How many means are taken along a side.
        size: Of that side, in pixels.
        start: The first pixel looked at.
        stop: The pixel after the last one; None for all.
        device: Where to compute.

    Returns:
        (cells, stop - start), float64. Over the whole side, each row sums to 1.
    """
    pixels = torch.arange(start, size if stop is None else stop, device=device)
    numbers = torch.arange(cells, device=device)[:, None]
    first = numbers * size // cells
    last = ((numbers + 1) * size + cells - 1) // cells
    return ((pixels >= first) & (pixels < last)).double() / (last - first)


def bilinear_weights(
    cells: int,
    size: int,
    start: int = 0,
    stop: int | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """What each cell counts for at each of the pixels `start` to `stop`.

    As bilinear upsampling with aligned corners has it: the first cell is at the first pixel, the
    last one at the last.

    Args:
        cells: How many values there are along a side.
        size: Of that side, in pixels.
        start: The first pixel wanted.
        stop: The pixel after the last one; None for all.
        device: Where to compute.

    Returns:
        (stop - start, cells), float64. Each row sums to 1.
    """
    pixels = torch.arange(start, size if stop is None else stop, dtype=torch.float64, device=device)
    positions = pixels * ((cells - 1) / (size - 1) if size > 1 else 0.0)
    distances = positions[:, None] - torch.arange(cells, device=device)
    return (1 - distances.abs()).clamp(min=0)


def to_grid(picture: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pool each channel: ``rows @ picture @ columns.T``, outside any autocast.

    Args:
        picture: (N, C, H, W); quickest in channels-last memory.
        rows: :func:`averaging_weights` of the height, (R, H).
        columns: Those of the width, (K, W).

    Returns:
        (N, C, R, K), float32 or float64.
    """
    with torch.autocast(picture.device.type, enabled=False):
        x = _channels_last(picture)
        return (columns.to(x) @ _along_rows(x, rows)).permute(0, 3, 1, 2)


def from_grid(grid: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Upsample each channel: ``rows @ grid @ columns.T``, outside any autocast.

    Args:
        grid: (N, C, R, K).
        rows: :func:`bilinear_weights` of the height, (H, R).
        columns: Those of the width, (W, K).

    Returns:
        (N, C, H, W) in channels-last memory, float32 or float64.
    """
    with torch.autocast(grid.device.type, enabled=False):
        x = _channels_last(grid)
        # Columns first: the one large product is then the last, and its result is as wanted.
        return _along_rows(columns.to(x) @ x, rows).permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32)).permute(0, 2, 3, 1)


def _along_rows(x: Tensor, rows: Tensor) -> Tensor:
    """One product for all columns and channels of (N, H, W, C)."""
    return (rows.to(x) @ x.flatten(2)).unflatten(2, x.shape[2:])
