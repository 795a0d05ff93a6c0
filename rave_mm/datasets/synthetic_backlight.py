"""Backlight made by calculation: a well-lit photo in, the same scene shot against the light out.

The photo stays the ground truth, so a pair needs no second exposure. Light is scaled in linear
light, as a shorter exposure would: a foreground loses 2 to 4 stops, the rest keeps its light or
gains a little, sensor noise is added, and the result is encoded as sRGB again. What the foreground
is, :mod:`rave_mm.datasets.shadows` says.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from rave_mm.datasets.shadows import foreground_mask

FloatArray = NDArray[np.float32]

# The surroundings of a pixel, for a photographer's eye: a sixteenth of the photo.
_WINDOWS_PER_SIDE = 16


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


def synthetic_backlight(
    photo: NDArray[np.uint8],
    rng: np.random.Generator,
    ev: tuple[float, float] = (2.0, 4.0),
    mask: FloatArray | None = None,
    noise: float = 1.0,
) -> NDArray[np.uint8]:
    """Make a backlit version of a well-lit photo.

    In linear light the foreground is multiplied by ``2^-EV`` and the rest by ``2^0`` to ``2^0.4``;
    then shot and read noise follow, and 8-bit sRGB.

    Args:
        photo: (H, W, 3) RGB, uint8.
        rng: where every random choice comes from; the same state gives the same picture.
        ev: least and greatest number of stops that the foreground loses.
        mask: (H, W) in [0, 1], where it is; None for a soft one in the lower centre.
        noise: how many times the noise of a camera in good light there is.

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
    if mask is None:
        mask = foreground_mask(photo.shape[0], photo.shape[1], rng)
    stops = -rng.uniform(*ev) * mask + rng.uniform(0, 0.4) * (1 - mask)
    linear = srgb_to_linear(photo.astype(np.float32) / 255) * np.exp2(stops)[..., None]
    # Shot noise grows with the root of the light, read noise does not depend on it.
    grain = rng.standard_normal(linear.shape, dtype=np.float32) * np.float32(noise)
    linear += grain * np.sqrt(np.maximum(linear, 0) * 2e-5 + 1e-7)
    return np.round(linear_to_srgb(linear) * 255).astype(np.uint8)


def retouched(photo: NDArray[np.uint8], lift: float) -> NDArray[np.uint8]:
    """A photo with its shadows lifted, as a photographer prints it.

    ``x ** (1 - lift * (1 - b)^2)`` with the brightness ``b`` around each pixel: black and white
    stay where they are, and what is as bright as its surroundings hardly changes.

    Args:
        photo: (H, W, 3) RGB, uint8.
        lift: how far, in [0, 1); 0 leaves the photo as it is.

    Returns:
        (H, W, 3) RGB, uint8.
    """
    values = photo.astype(np.float32) / 255
    window = max(1, round(max(photo.shape[:2]) / _WINDOWS_PER_SIDE))
    around = cv2.blur(values.mean(2), (window, window), borderType=cv2.BORDER_REPLICATE)
    lifted = values ** (1 - lift * np.square(1 - around))[..., None]
    return np.round(lifted * 255).astype(np.uint8)


def jpeg_compressed(photo: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """What is left of an RGB photo (H, W, 3) after JPEG of a quality from 1 to 100."""
    _, data = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]).astype(np.uint8)
