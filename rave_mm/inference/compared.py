"""The picture that shows a photograph and its result beside each other."""

import numpy as np

from rave_mm.inference.small_view import see_small
from rave_mm.photos.colour import image_of

COMPARED_SIDE = 1024
"""The longest side of either, in pixels."""


def side_by_side(*pictures: np.ndarray) -> np.ndarray:
    """Pictures of one size, (H, W, C), beside each other, reduced, as uint8 (h, w, C)."""
    small = [see_small(image_of(picture), COMPARED_SIDE) for picture in pictures]
    return np.concatenate(
        [(each // 257).astype(np.uint8) if each.dtype == np.uint16 else each for each in small],
        axis=1,
    )
