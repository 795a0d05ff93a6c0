"""Enhances with the network that ships, without PyTorch where that can be."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rave_mm.inference.bundled import BUNDLED_ENHANCER, BUNDLED_ONNX
from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.inference.seeing import OnnxSeer
from rave_mm.photos.colour import ColourSpace
from rave_mm.runtime.compat import silence_import_noise

if TYPE_CHECKING:
    from rave_mm.inference.photo_enhancer import PhotoEnhancer


class ShippedEnhancer(OnnxSeer):
    """Enhances with the network that ships, on a CPU, and imports PyTorch only where it must.

    Most files need no PyTorch: the network looks at them in onnxruntime, and libvips does the rest.
    Photographs whose values are not sRGB are enhanced as arrays, which takes it.

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
        """Enhance an array, as :meth:`PhotoEnhancer.enhance_pixels`."""
        return self._of_arrays.enhance_pixels(
            pixels,
            strength,
            colour=colour,
            max_memory=max_memory,
            meter=meter,
            light_map=light_map,
        )

    @cached_property
    def _of_arrays(self) -> "PhotoEnhancer":
        silence_import_noise()
        from rave_mm.inference.photo_enhancer import PhotoEnhancer

        return PhotoEnhancer(BUNDLED_ENHANCER, device="cpu", light_map_side=self.light_map_side)
