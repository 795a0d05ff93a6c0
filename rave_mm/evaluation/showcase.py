"""Pictures for a report: small ones of every photo, kept while a test runs."""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from rave_mm.evaluation.pictures import hwc_8_bit, rgb_pictures

LONG_SIDE = 800
"""How long a picture is at most."""
_LEAST_LONG_SIDE = 160
_PIXELS = 368 * 512**2
_QUALITY = 75


@dataclass(frozen=True, order=True)
class Shown:
    """A photo before and after, and its ground truth, as JPEG files; ordered by gain, then path."""

    gain: float
    path: str
    before: bytes = field(compare=False, repr=False)
    after: bytes = field(compare=False, repr=False)
    truth: bytes | None = field(compare=False, repr=False, default=None)


def merged(parts: Iterable[Sequence[Shown]]) -> list[Shown]:
    """What several processes show, by rising gain; a photo that two of them had is there once."""
    return sorted({photo.path: photo for part in parts for photo in part}.values())


def long_side(count: int) -> int:
    """How long a picture in a report of so many photos may be.

    It falls with the root of the count, so that a report of many photos is not larger than one of
    BAID's 368, whose pictures are of 512 pixels: some 50 MB, which a browser opens.
    """
    return max(_LEAST_LONG_SIDE, min(LONG_SIDE, math.isqrt(_PIXELS // max(count, 1))))


def gain(result: float, photo: float, higher_is_better: bool) -> float:
    """How much better a result is than its input: above 0 is better.

    Two equal figures gain nothing, infinite ones included.
    """
    if result == photo:
        return 0.0
    return result - photo if higher_is_better else photo - result


def sortable_gain(value: float | None) -> float:
    """A gain to sort by, where a photo without one comes first."""
    return -math.inf if value is None or math.isnan(value) else value


def jpeg(picture: Tensor, long_side: int = LONG_SIDE) -> bytes:
    """MMagic's picture, (3, H, W) BGR in [0, 255], as a JPEG file of at most so long a side."""
    photo = Image.fromarray(hwc_8_bit(rgb_pictures([picture])[0]))
    photo.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
