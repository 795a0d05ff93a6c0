"""What looks at a small view of a photograph, with PyTorch or without."""

from pathlib import Path
from typing import Protocol

import numpy as np
import pyvips
from numpy.typing import NDArray

from rave_mm.inference.small_view import FloatArray, LightLines, see_small
from rave_mm.photos.colour import ColourSpace


class Seer(Protocol):
    """Looks at a small view of a photograph, and gives the light map for any size."""

    @property
    def light_map_side(self) -> int | None:
        """Pixels of the view's long side; None for one that looks at all pixels."""

    def sees_small(self, height: int, width: int) -> bool:
        """Whether what it gives for a photograph of this size are lines."""

    def see(
        self, image: pyvips.Image, colour: ColourSpace, max_memory: int | None = None
    ) -> tuple[NDArray, LightLines]:
        """Look at a photograph.

        Args:
            image: The photograph or a reduced one, upright, without alpha. It is read once, from
                the top down.
            colour: What its values mean.
            max_memory: Bytes that this may take.

        Returns:
            The view, of the image's own type and channels, and the light map, to be applied to any
            size.
        """


class OnnxSeer:
    """A ``SmallViewLightMapNet`` in onnxruntime, which is there in a tenth of PyTorch's time.

    Args:
        path: A file that ``tools/export_onnx.py`` wrote of such a network.
        light_map_side: Pixels of the view's long side; None for the network's own.

    Raises:
        ValueError: `light_map_side` is below 1, or the file is of another network.
    """

    def __init__(self, path: Path, light_map_side: int | None = None) -> None:
        import onnxruntime

        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(path), providers=providers)
        told = self._session.get_modelmeta().custom_metadata_map
        if not told.keys() >= {"side", "lowest", "highest"}:
            raise ValueError(
                f"{path} is no export of a SmallViewLightMapNet; expected one that "
                "`rave-mm export-onnx` wrote"
            )
        if light_map_side is not None and light_map_side < 1:
            raise ValueError(f"got light_map_side={light_map_side}; expected 1 pixel or more")
        self._limits = float(told["lowest"]), float(told["highest"])
        self.light_map_side: int = light_map_side or int(told["side"])

    def sees_small(self, height: int, width: int) -> bool:
        """Always."""
        return True

    def see(
        self, image: pyvips.Image, colour: ColourSpace, max_memory: int | None = None
    ) -> tuple[NDArray, LightLines]:
        """Look at a photograph, as :class:`Seer` has it."""
        view = see_small(image, self.light_map_side)
        return view, self.lines(colour.to_srgb(view).clip(0, 1))

    def lines(self, view: FloatArray) -> LightLines:
        """The light map, from a view (h, w, 3), sRGB in [0, 1]."""
        # The file is not for sides of a single pixel; two alike look the same.
        height, width = view.shape[:2]
        padded = np.pad(view, ((0, int(height == 1)), (0, int(width == 1)), (0, 0)), mode="edge")
        (lines,) = self._session.run(None, {"view": padded.transpose(2, 0, 1)[None]})
        return LightLines(lines[0, 0], lines[0, 1], *self._limits, logarithmic=True)
