"""How strongly a photograph is enhanced, by way of its light map."""

import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

LightMap = TypeVar("LightMap", np.ndarray, "Tensor")

EPS = 1e-9
"""What is added to a light map that divides, as `rave_mm.functional.apply_light_map` has it."""

FLOOR = 0.01
"""The lowest light map that a strength above 1 makes: a pixel becomes 100 times as bright."""


def blend_light_map(light_map: LightMap, strength: float) -> LightMap:
    """``M' = 1 + strength * (M - 1)``: 1 for strength 0, ``M`` itself for 1.

    Above 1 it stays at or above 0.01, or ``M`` where that is less, so that a light map of 0 is
    treated as :func:`rave_mm.functional.apply_light_map` treats it.

    Args:
        light_map: ``M``, zero or more, an array or a tensor.
        strength: Zero or more.

    Returns:
        ``M'``, of the same kind and shape.

    Raises:
        ValueError: `strength` is below zero or not finite.
    """
    check_strength(strength)
    if strength == 1:
        return light_map
    blended = 1 + strength * (light_map - 1)
    return blended.clip(min=light_map.clip(max=FLOOR))


def check_strength(strength: float) -> None:
    """Refuse a strength that is below zero or not finite.

    Raises:
        ValueError: It is one of these.
    """
    if not (math.isfinite(strength) and strength >= 0):
        raise ValueError(f"got strength={strength}; expected 0 (none), 1 (full) or any above")
