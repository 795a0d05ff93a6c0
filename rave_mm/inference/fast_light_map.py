"""The light map of a large photograph, quickly: predicted small, spread over the photograph.

The network sees every n-th pixel of every n-th row. kornia's fast guided filter (He and Sun, arXiv
1505.00996) explains its light map around each of these pixels as ``a * brightness + b`` and applies
``a`` and ``b``, upsampled, to the brightness of all pixels, which has the edges that the few have
lost. It works tile by tile, with as much around each tile as it sees beyond it, so that memory is
bounded here too.

What is lost for good is what the network would have seen between these pixels. The result is
therefore near that of :mod:`rave_mm.inference.tiling`, not equal to it; docs/enhance.md has the
figures.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from rave_mm.inference.tiling import ReadWindow, Window, cut, light_map_tiles
from rave_mm.networks.light_map_unet import LightMapUNet

FAST_SIDE = 1024
"""About how many pixels the network sees along the long side: from 768 to 1280."""

FAST_MEMORY = 50 * 10**6
"""Bytes that these pixels, their light map and kornia itself take at most."""

# In pixels that the network sees, and of brightness squared. kornia takes a block's first pixel for
# its middle; with twice the radius that shows half as much beside an edge.
_RADIUS = 2
_SMOOTHING = 1e-4
# A mean of means, and what upsampling takes beside it.
_REACH = 2 * _RADIUS + 1


@torch.no_grad()
def fast_light_map_tiles(
    network: LightMapUNet,
    read: ReadWindow,
    height: int,
    width: int,
    side: int,
    long_side: int = FAST_SIDE,
) -> Iterator[tuple[Window, Tensor, Tensor]]:
    """The light map of a photograph, tile by tile, predicted from a part of its pixels.

    A photograph that is nearer to what the network is to see than to twice that gets its exact
    light map. No gradients.

    Args:
        network: The network, on any device.
        read: Gives windows of the photograph. It is read twice.
        height: Of the photograph.
        width: Of the photograph.
        side: Of a tile, in pixels; see :func:`rave_mm.inference.tiling.tile_side`.
        long_side: About how many pixels the network is to see along the long side.

    Yields:
        A window, the photograph there (1, 3, h, w), and the light map there (1, 1, h, w).

    Raises:
        ValueError: Height, width or side is not above zero.
    """
    step = max(1, round(max(height, width) / long_side))
    if step * (1 / step) < 1:  # 49, for one, at which kornia 0.8 loses a pixel to rounding
        step += 1
    if step == 1:
        yield from light_map_tiles(network, read, height, width, side)
        return
    few = take_every(read, height, width, side, step)
    rows, columns = few.shape[2:]

    def read_few(window: Window) -> Tensor:
        return few[(..., *window.slices)]

    light_map = few.new_empty(1, 1, rows, columns)
    for window, _, part in light_map_tiles(network, read_few, rows, columns, side):
        light_map[(..., *window.slices)] = part
    lowest, highest = light_map.aminmax()
    for tile in cut(rows, columns, max(1, side // step), _REACH):
        core = _in_pixels(tile.core, step, height, width)
        seen = _in_pixels(tile.seen, step, height, width)
        photo = read(seen)
        guide = photo.mean(1, keepdim=True)
        filtered = _guided(guide, light_map[(..., *tile.seen.slices)], step)
        here = (..., *core.inside(seen).slices)
        # Beyond what the network gave anywhere, the line is no longer a guess but an accident.
        yield core, photo[here], filtered[here].clamp(lowest, highest)


def take_every(read: ReadWindow, height: int, width: int, side: int, step: int) -> Tensor:
    """Every n-th pixel of every n-th row of a photograph, read window by window.

    Args:
        read: Gives windows of the photograph.
        height: Of the photograph.
        width: Of the photograph.
        side: Of what is read at once, in pixels, or a little more.
        step: The n.

    Returns:
        (1, 3, h, w), from the first row and pixel on.
    """
    rows, columns = -(-height // step), -(-width // step)
    # Made before the windows are read: what is kept between them would leave gaps in the memory.
    few = read(Window(0, 1, 0, 1)).new_empty(1, 3, rows, columns)
    for tile in cut(rows, columns, max(1, side // step), 0):
        photo = read(_in_pixels(tile.core, step, height, width))
        few[(..., *tile.core.slices)] = photo[..., ::step, ::step]
    return few


def _guided(guide: Tensor, light_map: Tensor, step: int) -> Tensor:
    """The light map (1, 1, h, w) of every `step`-th pixel, spread along the guide (1, 1, H, W)."""
    # Not at the top: it takes 0.6 s and 21 MB, which those who are not in a hurry need not pay.
    from kornia.filters import guided_blur

    height, width = guide.shape[2:]
    # kornia takes both of one size, and looks at every `step`-th pixel of either.
    spread = light_map.repeat_interleave(step, 2).repeat_interleave(step, 3)
    guide = F.pad(guide, (0, -width % step, 0, -height % step), "replicate")
    # kornia 0.8, which Python 3.10 has, would compute in autocast's 8 bits: variances as noise.
    with torch.autocast(guide.device.type, enabled=False):
        filtered = guided_blur(
            guide, spread, 2 * _RADIUS * step + 1, _SMOOTHING, "replicate", subsample=step
        )
    return filtered[..., :height, :width]


def _in_pixels(window: Window, step: int, height: int, width: int) -> Window:
    """A window in steps as one in pixels, no further than the photograph."""
    return Window(
        window.top * step,
        min(window.bottom * step, height),
        window.left * step,
        min(window.right * step, width),
    )
