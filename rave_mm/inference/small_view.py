"""The light map of a photograph of any size, from a small view of it.

A network sees the photograph reduced to so many pixels of its long side. What it gives are lines:
around each of a few points ``a`` and ``b``, by which the light map follows from the brightness
``g`` of the full-size pixels, which have the edges that the small view has lost. ``a`` and ``b``
are enlarged bilinearly.

:class:`rave_mm.networks.small_view_net.SmallViewLightMapNet` gives the lines itself, of the light
map's logarithm: ``log M = a g + b``. For the light map of any other network they are fit,
``M = a g + b``, as the fast guided filter does (He and Sun, arXiv 1505.00996). What is lost for
good then is what that network would have seen between the pixels of the view; for one that was
trained on small photographs, that is a gain on large ones: docs/enhance.md has the figures.
"""

from dataclasses import dataclass

import numpy as np
import pyvips
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from rave_mm.inference.tiling import Window
from rave_mm.photos.colour import pixels_of

# In pixels of the small view, and of brightness squared.
_RADIUS = 2
_SMOOTHING = 1e-4


@dataclass(frozen=True)
class LightLines:
    """A light map of any size: a line from brightness to light map around each of a few points.

    Attributes:
        slopes: ``a``, (1, 1, h, w).
        offsets: ``b``, of the same shape.
        lowest: What the lines give is never below this,
        highest: nor above this: beyond what the network gave, a line is no guess but an accident.
        logarithmic: Whether they give the logarithm of the light map, in place of itself.
    """

    slopes: Tensor
    offsets: Tensor
    lowest: float
    highest: float
    logarithmic: bool = False

    def at(self, brightness: Tensor, window: Window, height: int, width: int) -> Tensor:
        """The light map in a window of a photograph.

        Args:
            brightness: Mean of red, green and blue, (1, 1, H, W), in [0, 1], in the window.
            window: The window.
            height: Of the photograph.
            width: Likewise.

        Returns:
            Light map (1, 1, H, W).
        """
        rows = _enlarging(self.slopes.shape[2], height, window.top, window.bottom)
        columns = _enlarging(self.slopes.shape[3], width, window.left, window.right)
        rows, columns = rows.to(self.slopes), columns.to(self.slopes).T
        slopes, offsets = rows @ self.slopes @ columns, rows @ self.offsets @ columns
        given = (slopes * brightness + offsets).clamp(self.lowest, self.highest)
        return given.exp() if self.logarithmic else given

    def whole(self, photo: Tensor) -> Tensor:
        """The light map (1, 1, H, W) of a whole photograph, (1, 3, H, W) in [0, 1]."""
        height, width = photo.shape[2:]
        return self.at(brightness_of(photo), Window(0, height, 0, width), height, width)

    def of_image(self, brightness: pyvips.Image) -> pyvips.Image:
        """The light map of a whole photograph, as libvips' image: nothing is computed yet.

        Args:
            brightness: Mean of red, green and blue, in [0, 1], floating point, of one band.

        Returns:
            Of the same size.
        """
        both = torch.cat([self.slopes, self.offsets], 1)[0].permute(1, 2, 0).float().cpu().numpy()
        height, width = both.shape[:2]
        lines = pyvips.Image.new_from_memory(
            np.ascontiguousarray(both).data, width, height, 2, "float"
        )
        # Not `resize`, which is off by half a pixel of what it makes.
        across, down = brightness.width / width, brightness.height / height
        full = lines.affine(
            [across, 0, 0, down],
            interpolate=pyvips.Interpolate.new("bilinear"),
            idx=0.5 - 0.5 / across,
            idy=0.5 - 0.5 / down,
            oarea=[0, 0, brightness.width, brightness.height],
            extend="copy",
        )
        given = (full[0] * brightness + full[1]).clamp(min=self.lowest, max=self.highest)
        return given.exp() if self.logarithmic else given


def see_small(image: pyvips.Image, long_side: int) -> NDArray:
    """A photograph reduced to so many pixels of its long side; as it is, if it has no more.

    Args:
        image: Of any size and kind. It is read once, from the top down.
        long_side: In pixels.

    Returns:
        (h, w, C), of its own type, each side of one pixel or more.
    """
    scale = long_side / max(image.width, image.height)
    if scale >= 1:
        return pixels_of(image)
    across = max(1, round(image.width * scale)) / image.width
    down = max(1, round(image.height * scale)) / image.height
    return pixels_of(image.resize(across, vscale=down, kernel="linear"))


def brightness_of(photo: Tensor) -> Tensor:
    """Mean of red, green and blue: (N, 3, H, W) to (N, 1, H, W)."""
    return photo.mean(1, keepdim=True)


@torch.no_grad()
def fit_lines(light_map: Tensor, brightness: Tensor) -> LightLines:
    """Explain a light map by brightness, in boxes of 5x5 pixels.

    ``a = cov(g, M) / (var(g) + e)``, ``b = mean(M) - a mean(g)``, and then the mean of both over
    the boxes that a pixel lies in (He and Sun, equations 3 to 5), with ``e = 1e-4``.

    Args:
        light_map: ``M``, (1, 1, h, w).
        brightness: ``g``, of the same shape, in [0, 1].

    Returns:
        The lines.
    """
    guide, light_map = brightness.float(), light_map.float()
    mean_guide, mean_light = _box(guide), _box(light_map)
    variance = (_box(guide * guide) - mean_guide**2).clamp(min=0)
    slopes = (_box(guide * light_map) - mean_guide * mean_light) / (variance + _SMOOTHING)
    offsets = mean_light - slopes * mean_guide
    lowest, highest = light_map.aminmax()
    return LightLines(_box(slopes), _box(offsets), float(lowest), float(highest))


def _box(values: Tensor) -> Tensor:
    """Mean over boxes, which end where the picture ends."""
    size = 2 * _RADIUS + 1
    return F.avg_pool2d(values, size, 1, _RADIUS, count_include_pad=False)


def _enlarging(side: int, whole: int, start: int, stop: int) -> Tensor:
    """Rows `start` to `stop` of the matrix that enlarges `side` values to `whole`, bilinearly."""
    centres = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * (side / whole) - 0.5
    centres = centres.clamp(0, side - 1)
    return (1 - (centres[:, None] - torch.arange(side)).abs()).clamp(min=0)
