"""The light map of a large photograph, quickly: predicted small, spread over the photograph.

The network sees the photograph at reduced size. A guided filter (He et al., arXiv 1505.00996)
explains the small light map around each pixel as ``a * brightness + b``; ``a`` and ``b`` are
upsampled, and the photograph's own brightness brings the edges back that the small one has lost.

What is lost for good is what the network would have seen of fine detail. The result is therefore
near that of :mod:`rave_mm.inference.tiling`, not equal to it; docs/enhance.md has the figures.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from rave_mm.inference.tiling import ReadWindow, Window, averaging_weights, cut, light_map_tiles
from rave_mm.models.light_map_unet import LightMapUNet

FAST_SIDE = 1024
"""The long side of the photograph that the network sees. 768 takes half the time and is 3 dB
further from the exact result, 512 a quarter and 6 dB."""

FAST_MEMORY = 64 * FAST_SIDE**2
"""Bytes that the small photograph, its light map and the filter take at most."""

# In pixels of the small photograph, and of brightness squared. Larger ones were further from the
# exact light map, and three slopes, one for each colour, 0.3 dB nearer at most.
_RADIUS = 1
_SMOOTHING = 1e-4


@torch.no_grad()
def fast_light_map_tiles(
    network: LightMapUNet,
    read: ReadWindow,
    height: int,
    width: int,
    side: int,
    long_side: int = FAST_SIDE,
) -> Iterator[tuple[Window, Tensor, Tensor]]:
    """The light map of a photograph, tile by tile, predicted at reduced size.

    A photograph that is no larger than the reduced one gets its exact light map. No gradients.

    Args:
        network: The network, on any device.
        read: Gives windows of the photograph. It is read twice.
        height: Of the photograph.
        width: Of the photograph.
        side: Of a tile, in pixels; see :func:`rave_mm.inference.tiling.tile_side`.
        long_side: Of the reduced photograph, in pixels.

    Yields:
        A window, the photograph there (1, 3, h, w), and the light map there (1, 1, h, w).

    Raises:
        ValueError: Height, width or side is not above zero.
    """
    if max(height, width) <= long_side:
        yield from light_map_tiles(network, read, height, width, side)
        return
    small = reduce_photo(read, height, width, side, long_side)
    rows, columns = small.shape[2:]

    def read_small(window: Window) -> Tensor:
        return small[(..., *window.slices)]

    light_map = small.new_empty(1, 1, rows, columns)
    for window, _, part in light_map_tiles(network, read_small, rows, columns, side):
        light_map[(..., *window.slices)] = part
    lowest, highest = light_map.aminmax()
    coefficients = guided_coefficients(_brightness(small), light_map)
    for tile in cut(height, width, side, 0):
        photo = read(tile.core)
        slope, offset = _spread(coefficients, tile.core, height, width).split(1, dim=1)
        # Beyond what the network gave anywhere, the line is no longer a guess but an accident.
        spread = (slope * _brightness(photo) + offset).clamp(lowest, highest)
        yield tile.core, photo, spread


def reduce_photo(read: ReadWindow, height: int, width: int, side: int, long_side: int) -> Tensor:
    """Reduce a photograph window by window, each pixel the mean of those that it stands for.

    Args:
        read: Gives windows of the photograph.
        height: Of the photograph.
        width: Of the photograph.
        side: Of what is read at once, in pixels, or a little more.
        long_side: What the photograph's long side becomes.

    Returns:
        (1, 3, h, w), as adaptive average pooling gives it, of the type that is read.
    """
    scale = long_side / max(height, width)
    rows, columns = (max(1, round(length * scale)) for length in (height, width))
    # Made before the windows are read: what is kept between them would leave gaps in the memory.
    small = read(Window(0, 1, 0, 1)).new_empty(1, 3, rows, columns)
    for tile in cut(rows, columns, max(1, int(side * scale)), 0):
        core = tile.core
        top, bottom = core.top * height // rows, -(-core.bottom * height // rows)
        left, right = core.left * width // columns, -(-core.right * width // columns)
        photo = read(Window(top, bottom, left, right))
        # float64, which is out of autocast's reach.
        down = averaging_weights(rows, height, top, bottom)[core.top : core.bottom]
        across = averaging_weights(columns, width, left, right)[core.left : core.right]
        mean = down.to(photo.device) @ photo.double() @ across.to(photo.device).T
        small[(..., *core.slices)] = mean.to(small)
    return small


def guided_coefficients(
    guide: Tensor, light_map: Tensor, radius: int = _RADIUS, smoothing: float = _SMOOTHING
) -> Tensor:
    """The line ``a * guide + b`` that is nearest to the light map around each pixel.

    ``a = cov(guide, M) / (var(guide) + smoothing)`` and ``b = mean(M) - a mean(guide)`` over a
    box, both then averaged over the boxes that a pixel lies in: the guided filter's.

    Args:
        guide: (N, 1, H, W), the brightness in [0, 1].
        light_map: ``M`` (N, 1, H, W).
        radius: The box reaches this many pixels each way, or to the border.
        smoothing: What varies less than its root counts as flat.

    Returns:
        ``a`` and ``b``, (N, 2, H, W).
    """
    means = _box_mean(
        torch.cat([guide, light_map, guide * light_map, guide * guide], dim=1), radius
    )
    mean, mean_map, product, square = means.split(1, dim=1)
    slope = (product - mean * mean_map) / (square - mean * mean + smoothing)
    return _box_mean(torch.cat([slope, mean_map - slope * mean], dim=1), radius)


def _brightness(photo: Tensor) -> Tensor:
    return photo.mean(1, keepdim=True)


def _box_mean(x: Tensor, radius: int) -> Tensor:
    side = 2 * radius + 1
    x = F.avg_pool2d(x, (side, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(x, (1, side), 1, (0, radius), count_include_pad=False)


def _spread(small: Tensor, window: Window, height: int, width: int) -> Tensor:
    """A window of what `small` is when it is upsampled bilinearly to the photograph's size."""
    # As grid_sample counts, a side reaches from -1 to 1, and a pixel lies at its middle.
    rows = (torch.arange(window.top, window.bottom) + 0.5) * (2 / height) - 1
    columns = (torch.arange(window.left, window.right) + 0.5) * (2 / width) - 1
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)[None].to(small)
    return F.grid_sample(small, grid, padding_mode="border", align_corners=False)
