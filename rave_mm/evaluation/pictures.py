"""What is done to pictures before they are measured."""

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def rgb_pictures(pictures: Iterable[Tensor]) -> list[Tensor]:
    """MMagic's pictures, (3, H, W) BGR in [0, 255], as RGB float32 on the CPU."""
    return [picture.detach().cpu().float().flip(0) for picture in pictures]


def round_to_8_bits(picture: Tensor) -> Tensor:
    """Round to whole numbers in [0, 255], halves up, as torchvision does when it writes a file."""
    return (picture + 0.5).floor().clamp(0, 255)


def match_mean(picture: Tensor, truth: Tensor) -> Tensor:
    """Scale a picture to the ground truth's mean over all pixels and channels, and clip it.

    ``clip(x * mean(truth) / mean(x), 0, 255)``. A black picture stays black.

    Args:
        picture: In [0, 255].
        truth: In [0, 255].
    """
    mean = picture.double().mean()
    if mean == 0:
        return picture
    return (picture * (truth.double().mean() / mean).float()).clamp(0, 255)


def hwc(picture: Tensor) -> NDArray[np.float32]:
    """A picture (3, H, W) as an array (H, W, 3)."""
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy())


def hwc_8_bit(picture: Tensor) -> NDArray[np.uint8]:
    """A picture (3, H, W) in [0, 255] as an array (H, W, 3) of uint8, rounded."""
    return hwc(round_to_8_bits(picture)).astype(np.uint8)


def swapped_gray(picture: Tensor) -> NDArray[np.uint8]:
    """Gray as RAVE's published script makes it, with the weights of red and blue swapped.

    It reads a file as BGR and converts it as if that were RGB: ``0.299 B + 0.587 G + 0.114 R``.

    Args:
        picture: (3, H, W) RGB in [0, 255]; it is rounded to 8 bits first.

    Returns:
        (H, W), uint8.
    """
    bgr = np.ascontiguousarray(hwc_8_bit(picture)[..., ::-1])
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_RGB2GRAY), np.uint8)


def unit_range(pictures: Tensor) -> Tensor:
    """From [0, 255] to [0, 1]."""
    return torch.clamp(pictures / 255, 0, 1)
