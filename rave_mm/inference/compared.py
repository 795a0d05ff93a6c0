"""The picture that shows a photograph and its result beside each other."""

import cv2
import numpy as np

COMPARED_SIDE = 1024
"""The longest side of either, in pixels."""


def side_by_side(*pictures: np.ndarray) -> np.ndarray:
    """Pictures of one size beside each other, reduced, as uint8 (h, w, C)."""
    small = []
    for picture in pictures:
        height, width = picture.shape[:2]
        scale = min(1, COMPARED_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        reduced = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        reduced = reduced.reshape(size[1], size[0], -1)
        if reduced.dtype == np.uint16:
            reduced = (reduced // 257).astype(np.uint8)
        small.append(reduced)
    return np.concatenate(small, axis=1)
