"""The light map of a photograph of any size in bounded memory, exactly.

The pyramid pooling lets every pixel of the light map depend on the whole photograph, so cutting a
photograph up and enhancing the pieces shows seams. But only some 50 averages carry that
dependence. A first pass sums them up tile by tile; a second pass computes the light map tile by
tile, with those averages and with as much around each tile as the convolutions reach.

What is seen for a tile ends either inside the photograph, where what lies near the edge is wrong
and cut off again, or at the photograph's border, where each layer pads it just as it pads the
whole photograph. So the result is that of the whole, rounding aside.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from rave_mm.inference.windows import Tile, Window, cut
from rave_mm.networks.conv3x3 import Conv3x3
from rave_mm.networks.grids import averaging_weights, to_grid
from rave_mm.networks.light_map_unet import LightMapUNet, Place

# The most that is held at once for a pixel: five maps of 64 channels and one of 32, of float32.
# Measured on a CPU: 1410 for the network alone, 1800 with the tile, the result and all else.
BYTES_PER_PIXEL = 1900
_SMALLEST_TILE = 16
# Larger ones gain nothing but for photographs of a single tile, which need one pass and no overlap.
_LARGEST_TILE = {"cpu": 1024, "cuda": 2048}


ReadWindow = Callable[[Window], Tensor]
"""Gives a window of a photograph, (1, 3, h, w), RGB in [0, 1], on the network's device."""


def reach(module: nn.Module) -> int:
    """How many pixels each way a chain of 3x3 convolutions sees, pooling aside: one for each."""
    return sum(isinstance(layer, Conv3x3) for layer in module.modules())


def tile_side(network: LightMapUNet, max_memory: int) -> int:
    """The largest side of square tiles with which the network stays within so much memory.

    Args:
        network: On the device where it will run.
        max_memory: Bytes, for the network's features; not for the photograph and the result.

    Returns:
        Side in pixels, without the overlap.

    Raises:
        ValueError: `max_memory` is too little for the smallest tile.
    """
    overlap = 2 * reach(network)
    side = math.isqrt(max(0, max_memory) // BYTES_PER_PIXEL) - overlap
    if side < _SMALLEST_TILE:
        least = BYTES_PER_PIXEL * (_SMALLEST_TILE + overlap) ** 2
        raise ValueError(
            f"got {max_memory / 1e6:.1f} MB of memory for the network; expected at least "
            f"{least / 1e6:.1f} MB, which tiles of {_SMALLEST_TILE} pixels need"
        )
    return min(side, _LARGEST_TILE[next(network.parameters()).device.type])


@torch.no_grad()
def light_map_tiles(
    network: LightMapUNet, read: ReadWindow, height: int, width: int, side: int
) -> Iterator[tuple[Window, Tensor, Tensor]]:
    """The light map of a photograph, tile by tile.

    Equal to that of the network's ``forward`` on the whole photograph, but for the order in which
    floating-point numbers are summed, for any size and side. No gradients.

    Args:
        network: The network, on any device.
        read: Gives windows of the photograph. It is read twice, unless it is a single tile.
        height: Of the photograph.
        width: Of the photograph.
        side: Of a tile, in pixels; see :func:`tile_side`.

    Yields:
        A window, the photograph there (1, 3, h, w), and the light map there (1, 1, h, w).

    Raises:
        ValueError: Height, width or side is not above zero.
    """
    if min(height, width, side) < 1:
        raise ValueError(
            f"got a photograph of {height}x{width} and tiles of side {side}; expected all above 0"
        )
    tiles = cut(height, width, side, reach(network))
    if len(tiles) == 1:
        photo = read(tiles[0].seen)
        yield tiles[0].core, photo, network(photo)
        return
    pooled = pool_by_tiles(network, read, height, width, tiles)
    for tile in tiles:
        photo = read(tile.seen)
        place = Place(tile.seen.top, tile.seen.left, height, width)
        light_map = network.light_map(network.features(photo), pooled, place)
        rows, columns = tile.core.inside(tile.seen).slices
        yield tile.core, photo[..., rows, columns], light_map[..., rows, columns]


@torch.no_grad()
def pool_by_tiles(
    network: LightMapUNet, read: ReadWindow, height: int, width: int, tiles: Sequence[Tile]
) -> list[Tensor]:
    """What ``network.pyramid.pool`` gives for the whole photograph, from its tiles.

    Sums are float64, so that it does not matter how many tiles there are.

    Args:
        network: The network.
        read: Gives windows of the photograph.
        height: Of the photograph.
        width: Of the photograph.
        tiles: That it is cut into.

    Returns:
        One map (1, C, b, b) for each bin size b, of the features' type.
    """
    sums: list[Tensor] = []
    for tile in tiles:
        core = tile.core
        rows, columns = core.inside(tile.seen).slices
        features = network.features(read(tile.seen))[..., rows, columns]
        dtype, features = features.dtype, features.double()
        parts = [
            to_grid(
                features,
                averaging_weights(bins, height, core.top, core.bottom, features.device),
                averaging_weights(bins, width, core.left, core.right, features.device),
            )
            for bins in network.pyramid.bins
        ]
        sums = [total + part for total, part in zip(sums, parts, strict=True)] if sums else parts
    return [total.to(dtype) for total in sums]
