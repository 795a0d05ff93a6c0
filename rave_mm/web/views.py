"""What a browser is shown of a photograph: sRGB of 8 bits, no larger than its screen."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from rave_mm.inference.arrays import divided
from rave_mm.inference.failure_signs import LUMA, FailureMeter, FailureSigns
from rave_mm.inference.light_map_strength import blend_light_map
from rave_mm.inference.small_view import FloatArray, LightLines, brightness_of, see_small
from rave_mm.inference.streaming import upright_stream, without_alpha
from rave_mm.inference.windows import Window
from rave_mm.photos.colour import SRGB, image_of, pixels_of
from rave_mm.photos.photo import Photo

SCREEN_SIDE = 1600
"""The long side of what is shown of a whole photograph, in pixels."""

MOST_PIXELS = 16 * 10**6
"""The largest part of a photograph that is shown at once: more than screens have."""

_BINS = 64
_QUALITY = 90
# A light map's colours, and the stops that they tell apart.
_BRIGHTENS, _DIMS = np.array([[0.15, 0.55, 1.0], [1.0, 0.5, 0.1]], np.float32)
_GRAY = np.float32(0.5)
_MOST_STOPS = 3


def stored_colours(photo: Photo, shrink: int = 1) -> pyvips.Image:
    """A photograph upright and without alpha, in its own colours (those of CMYK as sRGB).

    Args:
        photo: The photograph.
        shrink: The inverse of its size, as :attr:`Photo.stream` takes it; CMYK comes whole.
    """
    if photo.header.channels == 4:
        return image_of(photo.pixels()[0])
    return without_alpha(upright_stream(photo, shrink), photo.header.channels)


@dataclass
class ScreenCopy:
    """A photograph as large as a screen.

    Attributes:
        pixels: sRGB (h, w, 3), uint8, or uint16 where the photograph is deep.
        light_maps: By the name of what enhances: its light map (h, w), of strength 1.
    """

    pixels: NDArray[np.uint8 | np.uint16]
    light_maps: dict[str, FloatArray] = field(default_factory=dict)

    @classmethod
    def of(cls, photo: Photo, stored: pyvips.Image) -> "ScreenCopy":
        """Reduce a photograph.

        Args:
            photo: The photograph.
            stored: Its pixels as :func:`stored_colours` gives them, no smaller than a screen.

        Raises:
            pyvips.Error: The file is damaged.
        """
        view = see_small(stored, SCREEN_SIDE)
        return cls(SRGB.from_srgb(photo.colour.to_srgb(view), view))

    @property
    def srgb(self) -> FloatArray:
        """The photograph, (h, w, 3) in [0, 1]."""
        return SRGB.to_srgb(self.pixels)

    def light_map(self, name: str, lines: LightLines) -> FloatArray:
        """The light map of strength 1, (h, w); computed once for each name."""
        if name not in self.light_maps:
            self.light_maps[name] = lines.whole(self.srgb)
        return self.light_maps[name]

    def enhanced(self, light_map: FloatArray, strength: float) -> FloatArray:
        """The result, (h, w, 3) in [0, 1].

        Raises:
            ValueError: `strength` is out of range.
        """
        return divided(self.srgb, blend_light_map(light_map, strength))


def enhanced_part(
    photo: Photo,
    whole: pyvips.Image,
    part: Window,
    scale: float,
    lines: LightLines | None,
    strength: float,
) -> FloatArray:
    """A part of a photograph or of its result, (h, w, 3) in [0, 1].

    Args:
        photo: The photograph.
        whole: Its pixels as :func:`stored_colours` gives them, where any part can be read.
        part: Which part, in pixels of the whole.
        scale: Of what is returned, 1 for the photograph's own pixels or less.
        lines: The light map; None for the photograph itself.
        strength: As for :func:`rave_mm.inference.light_map_strength.blend_light_map`.

    Raises:
        ValueError: The part is not within the photograph, is larger than can be shown, or
            `strength` is out of range.
    """
    rows, columns = part.bottom - part.top, part.right - part.left
    inside = 0 <= part.left < part.right <= whole.width and 0 <= part.top < part.bottom
    if not (inside and part.bottom <= whole.height and 0 < scale <= 1):
        raise ValueError(
            f"got {part} at {scale:g}; expected a part of {whole.width}x{whole.height}"
        )
    if rows * columns * scale * scale > MOST_PIXELS:
        raise ValueError(
            f"got {rows * columns * scale * scale / 1e6:.0f} megapixels; expected at most "
            f"{MOST_PIXELS / 1e6:.0f} at once"
        )
    cropped = whole.crop(part.left, part.top, columns, rows)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    if (height, width) != (rows, columns):
        cropped = cropped.resize(width / columns, vscale=height / rows, kernel="linear")
    srgb = photo.colour.to_srgb(pixels_of(cropped)).clip(0, 1)
    if lines is None:
        return srgb
    # The lines reach over the whole photograph, of which this is a part, at this scale.
    top, left = round(part.top * scale), round(part.left * scale)
    reach = Window(top, top + srgb.shape[0], left, left + srgb.shape[1])
    size = (
        max(reach.bottom, round(whole.height * scale)),
        max(reach.right, round(whole.width * scale)),
    )
    return divided(srgb, blend_light_map(lines.at(brightness_of(srgb), reach, *size), strength))


def light_map_picture(light_map: FloatArray) -> FloatArray:
    """A light map in colours, (h, w, 3): blue where it brightens, orange where it dims."""
    stops = (-np.log2(light_map.clip(2.0**-_MOST_STOPS, 2.0**_MOST_STOPS)) / _MOST_STOPS)[..., None]
    ends = np.where(stops > 0, _BRIGHTENS, _DIMS)
    return (_GRAY + np.abs(stops) * (ends - _GRAY)).astype(np.float32)


def jpeg(srgb: FloatArray, side: int | None = None) -> bytes:
    """A picture (h, w, 3) in [0, 1] as a JPEG file, its long side no longer than `side`."""
    image = Image.fromarray((srgb * 255 + 0.5).astype(np.uint8))
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def histograms(srgb: FloatArray) -> dict[str, list[int]]:
    """How many pixels have a value, in 64 equal steps from 0 to 1: red, green, blue and luma."""
    channels: Sequence[FloatArray] = [
        *np.moveaxis(srgb, 2, 0),
        srgb @ LUMA,
    ]
    steps = [np.minimum((each * _BINS).astype(np.uint8), _BINS - 1) for each in channels]
    names = ("red", "green", "blue", "luma")
    return {
        name: np.bincount(step.ravel(), minlength=_BINS).tolist()
        for name, step in zip(names, steps, strict=True)
    }


def failure_signs(before: FloatArray, after: FloatArray) -> FailureSigns:
    """The signs of failure, of pictures (h, w, 3) in [0, 1] as they are shown."""
    meter = FailureMeter()
    meter.add(before, np.round(after * 255) / np.float32(255))
    return meter.signs()
