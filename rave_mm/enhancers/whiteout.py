"""Tells that a network cannot learn any more, since all that it makes is white."""

import logging

from mmengine.logging import print_log
from torch import Tensor


class WhiteoutWatch:
    """Warns when no pixel of many batches on end has a gradient, once until one has.

    Where a light map is darker than a pixel, their quotient is above 1 and is clipped to white, and
    clipping lets no gradient through. If that is so of every pixel, nothing but weight decay moves
    the network. The published start is near there: its light map is 0.06 at most.

    Args:
        patience: how many batches on end.
    """

    def __init__(self, patience: int = 20) -> None:
        self.patience = patience
        self._on_end = 0
        self._alive: Tensor | None = None

    def look(self, enhanced: Tensor, photos: Tensor) -> None:
        """Look at a batch, and judge the one before.

        Args:
            enhanced: (N, C, H, W) in [0, 1].
            photos: the same before.
        """
        # The answer is read a batch later, when it is there: a GPU would have to be waited for.
        before = self._alive
        # Black stays black whatever the light map.
        self._alive = ((enhanced.detach() < 1) & (photos > 0)).any()
        if before is None:
            return
        self._on_end = 0 if before else self._on_end + 1
        if self._on_end == self.patience:
            print_log(
                f"every pixel of the last {self.patience} batches was divided by a light map "
                "darker than itself, and so became white: no gradient reaches the network, and "
                "training on will not help. Start anew with another seed, or with "
                "generator.start='identity', which needs no reconstruction phase",
                "current",
                logging.WARNING,
            )
