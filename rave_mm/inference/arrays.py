"""Divides an array by its light map, window by window, in the colours that its values mean."""

from collections.abc import Iterable, Iterator

import numpy as np

from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.inference.light_map_strength import EPS, blend_light_map
from rave_mm.inference.small_view import (
    LIGHT_MAP_OF_ONE,
    FloatArray,
    LightLines,
    brightness_of,
)
from rave_mm.inference.windows import Window, cut
from rave_mm.photos.colour import ColourSpace, full_scale

LitWindow = tuple[Window, FloatArray, FloatArray]
"""A window; the photograph there, sRGB (h, w, 3) without its limits; and the light map, (h, w)."""

_SIDE = 512


def check_pixels(pixels: np.ndarray) -> None:
    """Refuse an array that is no photograph.

    Raises:
        ValueError: It is not (H, W, 3) or (H, W, 1), not of uint8, uint16 or float32, or has values
            outside [0, 1] as float32.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise ValueError(f"got an array of shape {pixels.shape}; expected (H, W, 3), not empty")
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(f"got {pixels.dtype} values; expected uint8, uint16 or float32")
    if pixels.dtype == np.float32:
        check_range(float(pixels.min()), float(pixels.max()))


def check_range(lowest: float, highest: float) -> None:
    """Refuse values outside [0, 1], NaN included.

    Raises:
        ValueError: There are such.
    """
    if not (lowest >= 0 and highest <= 1):
        raise ValueError(f"got values from {lowest:g} to {highest:g}; expected [0, 1]")


def lit_by_lines(pixels: np.ndarray, colour: ColourSpace, lines: LightLines) -> Iterator[LitWindow]:
    """The windows of a photograph, with the light map that lines give.

    Args:
        pixels: (H, W, C), of any type that `colour` takes.
        colour: What the values mean.
        lines: Of the whole photograph.
    """
    height, width = pixels.shape[:2]
    for tile in cut(height, width, _SIDE, 0):
        srgb = colour.to_srgb(pixels[tile.core.slices])
        brightness = brightness_of(srgb if colour.is_srgb else srgb.clip(0, 1))
        yield tile.core, srgb, lines.at(brightness, tile.core, height, width)


def divided(srgb: FloatArray, light_map: FloatArray, wide_gamut: bool = False) -> FloatArray:
    """Divide a photograph by its light map: ``clip(x / (M + eps), 0, 1)``.

    Where colours may lie beyond sRGB, ``clip(x / (M + eps), min(x, 0), max(x, 1))``: a channel that
    was beyond stays as it was where it would be clipped, so that no colour is lost.

    Args:
        srgb: The photograph ``x``, (H, W, C), in sRGB, without its limits where that is wide.
        light_map: ``M``, (H, W), zero or more.
        wide_gamut: Whether colours may lie beyond sRGB.

    Returns:
        (H, W, C).
    """
    quotient = srgb / (light_map + np.float32(EPS))[..., None]
    if wide_gamut:
        return quotient.clip(srgb.clip(max=0), srgb.clip(min=1), out=quotient)
    return quotient.clip(0, 1, out=quotient)


def enhance_windows(
    pixels: np.ndarray,
    windows: Iterable[LitWindow],
    strength: float = 1.0,
    *,
    colour: ColourSpace,
    meter: FailureMeter | None = None,
    light_map: np.ndarray | None = None,
) -> np.ndarray:
    """Divide a photograph by its light map.

    Args:
        pixels: (H, W, 3) RGB or (H, W, 1) gray; uint8, uint16 or float32 in [0, 1].
        windows: Which cover it, with the light map ``M`` in each.
        strength: As for :func:`rave_mm.inference.light_map_strength.blend_light_map`.
        colour: What the values mean.
        meter: To count the signs of failure with.
        light_map: uint16 (H, W), to be filled with ``M``: `LIGHT_MAP_OF_ONE` is 1.

    Returns:
        A new array of the same shape and type.

    Raises:
        ValueError: `strength` is out of range.
    """
    result = np.empty(pixels.shape, pixels.dtype)
    top = full_scale(pixels.dtype)
    for window, srgb, lit in windows:
        shown = divided(srgb, blend_light_map(lit, strength), wide_gamut=not colour.is_srgb)
        result[window.slices] = colour.from_srgb(shown, pixels[window.slices], srgb)
        if meter is not None:
            if top > 1:  # what clips is told by what is written
                shown = (shown * top).round() / top
            meter.add(srgb if colour.is_srgb else srgb.clip(0, 1), shown.clip(0, 1))
        if light_map is not None:
            scaled = (lit * LIGHT_MAP_OF_ONE).round().clip(max=65535)
            light_map[window.slices] = scaled.astype(np.uint16)
    return result
