"""Pixels to enhance."""

import numpy as np


def dark(height: int = 24, width: int = 32, dtype: type = np.uint8) -> np.ndarray:
    """Random RGB, (height, width, 3), at most 40% bright."""
    top = int(np.iinfo(dtype).max * 0.4)
    return np.random.default_rng(0).integers(0, top, (height, width, 3), dtype)
