"""Enhances with the network that ships, without PyTorch."""

import numpy as np

from rave_mm.inference.arrays import check_pixels, colours_of, enhance_windows, lit_by_lines
from rave_mm.inference.bundled import BUNDLED_ONNX
from rave_mm.inference.enhancer import Enhancer
from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.inference.seeing import OnnxSeer
from rave_mm.photos.colour import ColourSpace, image_of


class ShippedEnhancer(OnnxSeer, Enhancer):
    """Enhances with the network that ships, on a CPU: onnxruntime, NumPy and libvips.

    Args:
        light_map_side: Pixels of the view's long side; None for the network's own.

    Raises:
        ValueError: `light_map_side` is below 1.
    """

    device = None
    """No GPU."""

    def __init__(self, light_map_side: int | None = None) -> None:
        super().__init__(BUNDLED_ONNX, light_map_side)

    def enhance_pixels(
        self,
        pixels: np.ndarray,
        strength: float = 1.0,
        *,
        colour: ColourSpace | None = None,
        max_memory: int | None = None,
        meter: FailureMeter | None = None,
        light_map: np.ndarray | None = None,
    ) -> np.ndarray:
        """Enhance an array, as :class:`Enhancer` has it; `max_memory` is not needed."""
        check_pixels(pixels)
        space = colours_of(pixels, colour)
        _, lines = self.see(image_of(pixels), space)
        windows = lit_by_lines(pixels, space, lines)
        return enhance_windows(
            pixels, windows, strength, colour=space, meter=meter, light_map=light_map
        )
