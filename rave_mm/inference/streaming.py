"""Enhances a photograph's file in one pass of libvips: it is decoded, divided and written by rows.

So memory does not grow with the photograph. The light map comes from a small view of it.
"""

import pyvips

from rave_mm.inference.light_map_strength import check_strength
from rave_mm.inference.small_view import LightLines
from rave_mm.photos.photo import Photo

_EPS = 1e-9  # as `apply_light_map` has it
_FLOOR = 0.01  # as `blend_light_map` has it


def can_stream(photo: Photo) -> bool:
    """Whether a photograph can be enhanced by rows: its values must be sRGB as they are."""
    return photo.colour.is_srgb and photo.header.channels != 4


def upright_stream(photo: Photo, shrink: int = 1) -> pyvips.Image:
    """The photograph as libvips' image, upright. Of one that is turned, all is held in memory."""
    image = photo.stream(shrink)
    turn = _TURNS.get(photo.header.orientation)
    if turn is None:
        return image
    flip, angle = turn
    image = image.copy_memory()
    image = image.fliphor() if flip else image
    return image.rot(f"d{angle}")


# EXIF's orientations: whether to mirror left and right, and then how far to turn clockwise.
_TURNS = {
    2: (True, 0),
    3: (False, 180),
    4: (True, 180),
    5: (True, 270),
    6: (False, 90),
    7: (True, 90),
    8: (False, 270),
}


def light_map_image(image: pyvips.Image, channels: int, lines: LightLines) -> pyvips.Image:
    """The light map of a photograph as libvips' image, of floating point.

    Args:
        image: The photograph, with or without alpha.
        channels: Of it without alpha: 1 or 3.
        lines: Its light map.
    """
    return lines.of_image(_brightness(_colours(image, channels)))


def enhanced_image(
    image: pyvips.Image, channels: int, lines: LightLines, strength: float = 1.0
) -> pyvips.Image:
    """A photograph divided by its light map, as libvips' image: nothing is computed yet.

    Args:
        image: The photograph in sRGB, of 8 or 16 bits, with or without alpha, which is kept.
        channels: Of it without alpha: 1 or 3.
        lines: Its light map.
        strength: As for :func:`rave_mm.inference.light_map_strength.blend_light_map`.

    Returns:
        Of the same size and type.

    Raises:
        ValueError: `strength` is out of range.
    """
    check_strength(strength)
    colours = _colours(image, channels)
    light_map = lines.of_image(_brightness(colours))
    if strength != 1:
        blended = (light_map - 1) * strength + 1
        # The larger of it and the floor, but of the light map where that is less.
        floor = light_map.clamp(min=0, max=_FLOOR)
        light_map = (blended > floor).ifthenelse(blended, floor)
    enhanced = (colours.cast("float") / (light_map + _EPS)).rint().cast(image.format)
    if image.bands == channels:
        return enhanced
    return enhanced.bandjoin(image[channels])


def _colours(image: pyvips.Image, channels: int) -> pyvips.Image:
    return image.extract_band(0, n=channels) if image.bands > channels else image


def _brightness(colours: pyvips.Image) -> pyvips.Image:
    scale = 1 / (_full_scale(colours) * colours.bands)
    return colours.recomb([[scale] * colours.bands])


def _full_scale(image: pyvips.Image) -> int:
    return 65535 if image.format == "ushort" else 255
