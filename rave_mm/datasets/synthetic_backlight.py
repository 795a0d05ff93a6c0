"""Backlight made by calculation: a well-lit photo in, the same scene shot against the light out.

The photo stays the ground truth, so a pair needs no second exposure. Light is scaled in linear
light, as a shorter exposure would: a soft-edged foreground in the lower centre loses 2 to 4 stops,
the rest keeps its light or gains a little, sensor noise is added, and the result is encoded as sRGB
again.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def srgb_to_linear(srgb: FloatArray) -> FloatArray:
    """Decode sRGB values in [0, 1] of any shape to linear light in [0, 1] (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def linear_to_srgb(linear: FloatArray) -> FloatArray:
    """Encode linear light of any shape as sRGB in [0, 1].

    What exceeds [0, 1] is clipped, as a sensor clips.
    """
    clipped = np.clip(linear, 0, 1)
    return np.where(
        clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055
    ).astype(np.float32)


def smooth_noise(height: int, width: int, cells: int, rng: np.random.Generator) -> FloatArray:
    """Standard normal values on a cells x cells grid, enlarged to (height, width).

    The interpolation is cubic.
    """
    grid = rng.standard_normal((cells, cells)).astype(np.float32)
    enlarged = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return enlarged.astype(np.float32, copy=False)


def foreground_mask(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Draw a soft-edged foreground in the lower centre of a picture.

    An ellipse of random place and size, its outline disturbed by smooth noise, so that it looks
    like a person, a tree or a house in front of the light rather than like a lens.

    Returns:
        (height, width) in [0, 1]: 1 in the foreground, 0 in the background.
    """
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    centre_x, centre_y = rng.uniform(0.3, 0.7), rng.uniform(0.55, 0.9)
    radius_x, radius_y = rng.uniform(0.25, 0.55), rng.uniform(0.3, 0.6)
    distance = np.sqrt(((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2)
    outline = distance + rng.uniform(0.05, 0.25) * smooth_noise(
        height, width, int(rng.integers(4, 9)), rng
    )
    softness = rng.uniform(0.03, 0.12)
    return (1 / (1 + np.exp(np.clip((outline - 1) / softness, -30, 30)))).astype(np.float32)


def synthetic_backlight(
    photo: NDArray[np.uint8], rng: np.random.Generator, ev: tuple[float, float] = (2.0, 4.0)
) -> NDArray[np.uint8]:
    """Make a backlit version of a well-lit photo.

    In linear light the foreground is multiplied by ``2^-EV`` and the rest by ``2^0`` to ``2^0.4``;
    then shot and read noise follow, and 8-bit sRGB.

    Args:
        photo: (H, W, 3) RGB, uint8.
        rng: where every random choice comes from; the same state gives the same picture.
        ev: least and greatest number of stops that the foreground loses.

    Returns:
        (H, W, 3) RGB, uint8.

    Raises:
        ValueError: ``photo`` is not an 8-bit RGB picture, or ``ev`` is not an increasing pair of
            stops >= 0.
    """
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(
            f"photo: got shape {photo.shape} of {photo.dtype}, expected (H, W, 3) of uint8; "
            "convert it"
        )
    if not 0 <= ev[0] <= ev[1]:
        raise ValueError(
            f"ev: got {ev}, expected (least, greatest) stops with 0 <= least <= greatest"
        )
    height, width = photo.shape[:2]
    mask = foreground_mask(height, width, rng)
    stops = -rng.uniform(*ev) * mask + rng.uniform(0, 0.4) * (1 - mask)
    linear = srgb_to_linear(photo.astype(np.float32) / 255) * np.exp2(stops)[..., None]
    # Shot noise grows with the root of the light, read noise does not depend on it.
    noise = rng.standard_normal(linear.shape, dtype=np.float32)
    linear += noise * np.sqrt(np.maximum(linear, 0) * 2e-5 + 1e-7)
    return np.round(linear_to_srgb(linear) * 255).astype(np.uint8)
