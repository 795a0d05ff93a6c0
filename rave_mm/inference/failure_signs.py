"""Measures, without a ground truth, what the RAVE paper names as failures of such networks.

Green artefacts in very dark regions, and over-exposure (arXiv 2404.01889).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""The weights of red, green and blue in luma."""

_DARK = 0.1
_COLOURED = 0.02


@dataclass(frozen=True)
class FailureSigns:
    """Signs that an enhancement has failed, of one photograph.

    Attributes:
        newly_clipped: Share of the pixels, 0 to 1, that have a channel at full scale which had
            none before: over-exposure.
        dark: Share of the pixels that were dark: luma below 0.1, where white is 1.
        hue_shift: Mean angle between the hues before and after, in degrees, over the dark pixels
            that have a colour both before and after; 0 where there is none. Division by a light
            map keeps the hue, so it tells of rounding and of channels that clip.
        green_shift: How far green exceeds the mean of red and blue, averaged over the dark
            pixels, after minus before; white is 1. A camera's faint green noise, amplified,
            shows here though its hue has not changed.
    """

    newly_clipped: float
    dark: float
    hue_shift: float
    green_shift: float

    @property
    def suspect(self) -> bool:
        """Whether somebody should look at the photograph."""
        return self.newly_clipped > 0.05 or self.hue_shift > 15 or self.green_shift > 0.03


class FailureMeter:
    """Gathers :class:`FailureSigns` tile by tile."""

    def __init__(self) -> None:
        self._pixels = self._clipped = self._dark = self._coloured = 0
        self._degrees = self._green = 0.0

    def add(self, before: FloatArray, after: FloatArray) -> None:
        """Count a tile in.

        Args:
            before: The photograph (H, W, 3), RGB in [0, 1].
            after: The result, of the same shape.
        """
        self._pixels += before.shape[0] * before.shape[1]
        self._clipped += int(((_largest(after) >= 1) & (_largest(before) < 1)).sum())
        dark = before @ LUMA < _DARK
        self._dark += int(dark.sum())
        x, y = before[dark], after[dark]
        self._green += float((_green(y) - _green(x)).sum(dtype=np.float64))
        # Hue is an angle in the plane across the gray axis; its length is the colourfulness.
        (x0, x1), (y0, y1) = _across(x), _across(y)
        coloured = (np.hypot(x0, x1) >= _COLOURED) & (np.hypot(y0, y1) >= _COLOURED)
        angle = np.abs(np.arctan2(x0 * y1 - x1 * y0, x0 * y0 + x1 * y1)[coloured])
        self._coloured += len(angle)
        self._degrees += math.degrees(float(angle.sum(dtype=np.float64)))

    def signs(self) -> FailureSigns:
        """The signs of all that was counted in; 0 where there is nothing to average."""
        return FailureSigns(
            self._clipped / max(1, self._pixels),
            self._dark / max(1, self._pixels),
            self._degrees / max(1, self._coloured),
            self._green / max(1, self._dark),
        )


def _largest(colours: FloatArray) -> FloatArray:
    red, green, blue = np.moveaxis(colours, 2, 0)  # `max` over so short an axis is slow
    return np.maximum(np.maximum(red, green), blue)


def _green(colours: FloatArray) -> FloatArray:
    return colours[:, 1] - (colours[:, 0] + colours[:, 2]) / 2


def _across(colours: FloatArray) -> tuple[FloatArray, FloatArray]:
    red, green, blue = colours.T
    return red - (green + blue) / 2, np.float32(math.sqrt(3) / 2) * (green - blue)
