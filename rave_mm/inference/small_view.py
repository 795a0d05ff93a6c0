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
from numpy.typing import NDArray

from rave_mm.inference.windows import Window
from rave_mm.photos.colour import pixels_of

FloatArray = NDArray[np.float32]

LIGHT_MAP_OF_ONE = 32768
"""What a light map of 1 is in a light map of uint16; 65535 stands for 2 and above."""

# In pixels of the small view, and of brightness squared.
_RADIUS = 2
_SMOOTHING = 1e-4


@dataclass(frozen=True)
class LightLines:
    """A light map of any size: a line from brightness to light map around each of a few points.

    Attributes:
        slopes: ``a``, (h, w).
        offsets: ``b``, of the same shape.
        lowest: What the lines give is never below this,
        highest: nor above this: beyond what the network gave, a line is no guess but an accident.
        logarithmic: Whether they give the logarithm of the light map, in place of itself.
    """

    slopes: FloatArray
    offsets: FloatArray
    lowest: float
    highest: float
    logarithmic: bool = False

    def at(self, brightness: FloatArray, window: Window, height: int, width: int) -> FloatArray:
        """The light map in a window of a photograph.

        Args:
            brightness: Mean of red, green and blue, (H, W), in [0, 1], in the window.
            window: The window.
            height: Of the photograph.
            width: Likewise.

        Returns:
            Light map (H, W).
        """
        rows = _enlarging(self.slopes.shape[0], height, window.top, window.bottom)
        columns = _enlarging(self.slopes.shape[1], width, window.left, window.right).T
        slopes, offsets = rows @ self.slopes @ columns, rows @ self.offsets @ columns
        given = (slopes * brightness + offsets).clip(self.lowest, self.highest)
        return np.exp(given) if self.logarithmic else given

    def whole(self, photo: FloatArray) -> FloatArray:
        """The light map (H, W) of a whole photograph, (H, W, 3) in [0, 1]."""
        height, width = photo.shape[:2]
        return self.at(brightness_of(photo), Window(0, height, 0, width), height, width)

    def of_image(self, brightness: pyvips.Image) -> pyvips.Image:
        """The light map of a whole photograph, as libvips' image: nothing is computed yet.

        Args:
            brightness: Mean of red, green and blue, in [0, 1], floating point, of one band.

        Returns:
            Of the same size.
        """
        both = np.stack([self.slopes, self.offsets], 2).astype(np.float32, copy=False)
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


def brightness_of(photo: FloatArray) -> FloatArray:
    """Mean of red, green and blue: (H, W, 3) to (H, W)."""
    red, green, blue = np.moveaxis(photo, 2, 0)  # `mean` over so short an axis is slow
    return (red + green + blue) / np.float32(3)


def fit_lines(light_map: FloatArray, brightness: FloatArray) -> LightLines:
    """Explain a light map by brightness, in boxes of 5x5 pixels.

    ``a = cov(g, M) / (var(g) + e)``, ``b = mean(M) - a mean(g)``, and then the mean of both over
    the boxes that a pixel lies in (He and Sun, equations 3 to 5), with ``e = 1e-4``.

    Args:
        light_map: ``M``, (h, w).
        brightness: ``g``, of the same shape, in [0, 1].

    Returns:
        The lines.
    """
    # The variance is a difference of nearly equal numbers.
    guide, lit = brightness.astype(np.float64), light_map.astype(np.float64)
    mean_guide, mean_light = _box(guide), _box(lit)
    variance = _box(guide * guide) - mean_guide**2
    slopes = (_box(guide * lit) - mean_guide * mean_light) / (variance + _SMOOTHING)
    offsets = mean_light - slopes * mean_guide
    return LightLines(
        _box(slopes).astype(np.float32),
        _box(offsets).astype(np.float32),
        float(light_map.min()),
        float(light_map.max()),
    )


def _box(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over boxes, which end where the picture ends."""
    down, across = (_averaging(side) for side in values.shape)
    return down @ values @ across.T


def _averaging(side: int) -> NDArray[np.float64]:
    """The matrix that takes the mean over `_RADIUS` neighbours each way, as far as there are."""
    places = np.arange(side)
    near = np.abs(places[:, None] - places) <= _RADIUS
    return near / near.sum(1, keepdims=True)


def _enlarging(side: int, whole: int, start: int, stop: int) -> FloatArray:
    """Rows `start` to `stop` of the matrix that enlarges `side` values to `whole`, bilinearly."""
    centres = ((np.arange(start, stop) + 0.5) * (side / whole) - 0.5).clip(0, side - 1)
    weights = 1 - np.abs(centres[:, None] - np.arange(side))
    return weights.clip(0).astype(np.float32)
