"""Pictures for a report: those with the least and the most gain, kept while a test runs."""

import bisect
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from rave_mm.evaluation.pictures import hwc_8_bit, rgb_pictures

LONG_SIDE = 800
_QUALITY = 85


@dataclass(frozen=True, order=True)
class Shown:
    """A photo before and after, as JPEG files; ordered by gain, then by path."""

    gain: float
    path: str
    before: bytes = field(compare=False, repr=False)
    after: bytes = field(compare=False, repr=False)


class Showcase:
    """Keeps so many photos of the least gain and so many of the most, and forgets the others.

    Args:
        each: How many at either end.

    Attributes:
        shown: What is kept, by rising gain.
    """

    def __init__(self, each: int = 30) -> None:
        self.each = each
        self.shown: list[Shown] = []

    def wants(self, gain: float, path: str) -> bool:
        """Whether a photo of this gain would be kept."""
        place = bisect.bisect(self.shown, Shown(gain, path, b"", b""))
        return len(self.shown) < 2 * self.each or place != self.each

    def add(self, photo: Shown) -> None:
        """Keep a photo, if it is wanted."""
        bisect.insort(self.shown, photo)
        if len(self.shown) > 2 * self.each:
            del self.shown[self.each]

    @classmethod
    def merged(cls, parts: Iterable["Showcase"], each: int) -> "Showcase":
        """One of several, of which some may hold the same photo."""
        whole = cls(each)
        for photo in {photo.path: photo for part in parts for photo in part.shown}.values():
            whole.add(photo)
        return whole


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
    """MMagic's picture, (3, H, W) BGR in [0, 255], as a JPEG file of at most so many pixels."""
    photo = Image.fromarray(hwc_8_bit(rgb_pictures([picture])[0]))
    photo.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
