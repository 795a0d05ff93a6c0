"""Tells that a network cannot learn any more, since its light maps do nothing or everything."""

import logging

import torch
from mmengine.logging import print_log
from torch import Tensor

# A fortieth of what an 8-bit file can tell apart.
_SAME = 1e-4
_BLACK = 1 / 510

_TOLD = {
    "white": "every pixel of the last {} batches was divided by a light map darker than itself, "
    "and so became white: no gradient reaches the network, and training on will not help. Start "
    "anew with another seed, or with generator.start='identity', which needs no reconstruction "
    "phase",
    "black": "the light maps of the last {} batches are so bright that every result is black: next "
    "to no gradient reaches the network. Start anew with a lower learning rate, or limit the "
    "gradients (optim_wrapper.clip_grad)",
    "unchanged": "the light maps of the last {} batches are 1 everywhere: every photo stays as it "
    "is. Give the guidance more weight, the identity loss less, or raise the learning rate",
}


class CollapseWatch:
    """Warns when all light maps of many batches on end have collapsed, once until one has not.

    Where a light map is darker than a pixel, their quotient is above 1 and is clipped to white, and
    clipping lets no gradient through. If that is so of every pixel, nothing but weight decay moves
    the network. The published start is near there: its light map is 0.06 at most. Where it is far
    above 1, the result is black and its gradient next to nothing; where it is 1, the network does
    nothing.

    Args:
        patience: How many batches on end.
    """

    def __init__(self, patience: int = 20) -> None:
        self.patience = patience
        self._on_end = dict.fromkeys(_TOLD, 0)
        self._before: Tensor | None = None

    def look(self, enhanced: Tensor, photos: Tensor, may_stay: bool = False) -> None:
        """Look at a batch, and judge the one before.

        Args:
            enhanced: (N, C, H, W) in [0, 1].
            photos: The same before.
            may_stay: Whether photos that stay as they are are what is wanted.
        """
        # The answer is read a batch later, when it is there: a GPU would have to be waited for.
        before, enhanced = self._before, enhanced.detach()
        lit = photos > 0  # black stays black whatever the light map
        self._before = torch.stack(
            [
                ~((enhanced < 1) & lit).any(),
                (enhanced <= _BLACK).all() & (photos > 2 * _BLACK).any(),
                ((enhanced - photos).abs() < _SAME).all() & (not may_stay),
            ]
        )
        if before is None:
            return
        for sign, found in zip(_TOLD, before.tolist(), strict=True):
            self._on_end[sign] = self._on_end[sign] + 1 if found else 0
            if self._on_end[sign] == self.patience:
                print_log(_TOLD[sign].format(self.patience), "current", logging.WARNING)
