"""Clips out of photographs, for video models where there are no videos."""

from collections.abc import Sequence

import numpy as np
from mmagic.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class PanOverPhoto(BaseTransform):
    """Make a clip of a photograph: a window moves across it in a straight line, as a camera pans.

    Nothing in such a clip moves by itself, so it shows whether a video model trains, not how well
    it follows motion. Photographs of one size, such as backlit and ground truth, stay aligned.
    Every choice follows from NumPy's global generator, which MMEngine seeds.

    Args:
        frames: How many frames the clip has.
        size: Height and width of each, in pixels.
        step: Most pixels that the window moves from frame to frame, down or across.
        keys: Photographs (H, W, 3) to make clips of.
    """

    def __init__(
        self, frames: int, size: int, step: int = 4, keys: Sequence[str] = ("img", "gt")
    ) -> None:
        if frames < 1 or size < 1 or step < 0:
            raise ValueError(
                f"got frames={frames}, size={size}, step={step}; expected 1 or more frames and "
                "pixels, and a step of 0 or more"
            )
        self.frames, self.size, self.step = frames, size, step
        self.keys = tuple(keys)

    def transform(self, results: dict) -> dict:
        """Replace each photograph by a list of frames (size, size, 3).

        Raises:
            KeyError: A photograph is not there.
            ValueError: Photographs differ in size, or are too small for the whole path.
        """
        sizes = {results[key].shape[:2] for key in self.keys}
        reach = self.size + (self.frames - 1) * self.step
        if len(sizes) > 1 or min(min(size) for size in sizes) < reach:
            raise ValueError(
                f"{self}: got photographs of {sorted(sizes)} (height, width); expected one size of "
                f"{reach} or more, for all frames: choose a smaller size, step, or fewer frames"
            )
        path = np.stack([self._places(length) for length in sizes.pop()], axis=1)
        for key in self.keys:
            photo = results[key]
            results[key] = [
                np.ascontiguousarray(photo[top : top + self.size, left : left + self.size])
                for top, left in path
            ]
        return results

    def _places(self, length: int) -> np.ndarray:
        """Where the window begins along one side of the photograph, frame by frame."""
        moves = np.arange(self.frames) * np.random.randint(-self.step, self.step + 1)
        least, most = -moves.min(), length - self.size - moves.max()
        return moves + np.random.randint(least, most + 1)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(frames={self.frames}, size={self.size}, step={self.step}, "
            f"keys={self.keys})"
        )
