"""What every loss that looks at pictures through CLIP shares.

The equations are in `rave_mm.functional`; here are settings and state. They are called
`(pred, reference)` as MMagic calls a pixel loss, so they serve as one in any of its models, alone
or in a `rave_mm.losses.loss_sum.LossSum`.
"""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor

from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.losses.pictures import Results, by_scale, check_values, frames
from rave_mm.runtime.first_process import first_process_first

CHANNEL_ORDERS = ("rgb", "bgr")
#: In how many calls the values are looked at: on a GPU, each look waits for them.
CHECKED_CALLS = 3


class CLIPLoss(BaseModule):
    """What every loss that looks at pictures through CLIP shares.

    The CLIP is loaded when training starts (`init_weights`) or at the first call, not when the loss
    is built: testing a checkpoint needs no CLIP.

    Pictures are photos (N, 3, H, W), clips (N, T, 3, H, W), each frame of which counts as a photo,
    or a list of such at several scales, of whose losses it is the mean. In its first calls the loss
    looks whether the values lie in the stated range: those of the target, for what an untrained
    network makes may lie anywhere.

    Args:
        clip: settings of :func:`rave_mm.clip.encoder.load_clip`; None for the bundled CLIP.
        loss_weight: factor of the loss.
        channel_order: "rgb" or "bgr", the order of the pictures that the model hands over.
        value_range: (black, white) of those pictures.

    Raises:
        ValueError: an unknown channel order, or a value range that does not increase.
    """

    def __init__(
        self,
        clip: Mapping[str, Any] | None = None,
        loss_weight: float = 1.0,
        channel_order: str = "rgb",
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        if channel_order not in CHANNEL_ORDERS:
            raise ValueError(
                f"channel_order: got {channel_order!r}, expected one of {', '.join(CHANNEL_ORDERS)}"
            )
        if len(value_range) != 2 or not value_range[0] < value_range[1]:
            raise ValueError(
                f"value_range: got {value_range}, expected (black, white) with black < white"
            )
        self.clip_settings = dict(clip or {})
        self.loss_weight = loss_weight
        self.channel_order = channel_order
        self.value_range = (float(value_range[0]), float(value_range[1]))
        self._calls_to_check = CHECKED_CALLS
        self._values_seen: list[float] = []

    @property
    def clip(self) -> FrozenCLIP:
        """The CLIP, shared with every loss of the same settings."""
        return load_clip(**self.clip_settings)

    def init_weights(self) -> None:
        """Load what the loss needs, so that what is missing is told before training starts."""
        super().init_weights()
        with first_process_first():
            self._load()

    def _load(self) -> None:
        _ = self.clip

    def batches(
        self, pred: Results, reference: Results | None = None
    ) -> list[tuple[Tensor, Tensor | None]]:
        """Each result and its reference as photos (N, 3, H, W), RGB in [0, 1].

        Raises:
            ValueError: values far outside the stated range; shapes that are no pictures.
        """
        scales = by_scale(pred, reference)
        if self._calls_to_check:
            self._check_values(*scales[0])
        return [
            (self.to_rgb(result), None if other is None else self.to_rgb(other))
            for result, other in scales
        ]

    def _check_values(self, pred: Tensor, reference: Tensor | None) -> None:
        pictures = pred if reference is None else reference
        self._values_seen += check_values(pictures, self.value_range, type(self).__name__)
        self._calls_to_check -= 1
        low, high = min(self._values_seen), max(self._values_seen)
        black, white = self.value_range
        if not self._calls_to_check and high - low <= (white - black) / 2:
            print_log(
                f"{type(self).__name__}: the pictures' values lie in {low:.4g} to {high:.4g}, at "
                f"most half of value_range={self.value_range}: if that is not what this model's "
                "data_preprocessor gives, state what is",
                "current",
                logging.WARNING,
            )

    def to_rgb(self, images: Tensor) -> Tensor:
        """Photos (N, 3, H, W) or clips as the model has them to photos, RGB in [0, 1]."""
        images = frames(images)
        black, white = self.value_range
        if (black, white) != (0.0, 1.0):
            images = (images - black) / (white - black)
        return images.flip(1) if self.channel_order == "bgr" else images
