"""Enhances with the network that ships, without PyTorch."""

from collections.abc import Iterator

import numpy as np

from rave_mm.inference.arrays import LitWindow, lit_by_lines
from rave_mm.inference.bundled import BUNDLED_ONNX
from rave_mm.inference.enhancer import Enhancer
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

    def lit_windows(
        self, pixels: np.ndarray, colour: ColourSpace, max_memory: int | None
    ) -> Iterator[LitWindow]:
        """The windows of a photograph with their light map; `max_memory` is not needed."""
        _, lines = self.see(image_of(pixels), colour)
        return lit_by_lines(pixels, colour, lines)
