"""Enhances a photograph's file in one pass of libvips: it is decoded, divided and written by rows.

So memory does not grow with the photograph. The light map comes from a small view of it.
"""

import pyvips

from rave_mm.inference.compared import COMPARED_SIDE, side_by_side
from rave_mm.inference.failure_signs import FailureMeter, FailureSigns
from rave_mm.inference.light_map_strength import EPS, FLOOR, check_strength
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.seeing import Seer
from rave_mm.inference.small_view import LIGHT_MAP_OF_ONE, LightLines, see_small
from rave_mm.photos.colour import image_of, pixels_of
from rave_mm.photos.metadata import Metadata
from rave_mm.photos.photo import Photo
from rave_mm.photos.writing import write_image, write_photo


def can_stream(photo: Photo) -> bool:
    """Whether a photograph can be enhanced by rows: its values must be sRGB as they are."""
    return photo.colour.is_srgb and photo.header.channels != 4


def upright_stream(photo: Photo, shrink: int = 1) -> pyvips.Image:
    """The photograph as libvips' image, upright. Of one that is turned, all is held in memory."""
    image = photo.stream(shrink)
    if photo.header.orientation == 1:
        return image
    image = image.copy_memory()
    image.set_type(pyvips.GValue.gint_type, "orientation", photo.header.orientation)
    return image.autorot()


def enhance_by_rows(
    photo: Photo, job: PhotoJob, seer: Seer, strength: float, max_memory: int
) -> FailureSigns:
    """Enhance a photograph that :func:`can_stream`, and write all files of a job.

    Args:
        photo: The photograph.
        job: What to write.
        seer: With a `light_map_side`.
        strength: 0 leaves the photograph as it is, 1 is the full result, more goes further.
        max_memory: Bytes that looking at the small view may take.

    Returns:
        Signs of failure, of the small view.

    Raises:
        UnreadablePhotoError: What stands beside the pixels is damaged.
        pyvips.Error, OSError: The photograph is damaged, or a file cannot be written.
        ValueError: `strength` is out of range.
    """
    assert seer.light_map_side is not None
    photo = photo.decoded_once()
    channels = photo.header.channels

    def reduced(long_side: int) -> pyvips.Image:
        return without_alpha(upright_stream(photo, photo.shrink_for(long_side)), channels)

    metadata = photo.read_metadata()
    view, lines = seer.see(reduced(seer.light_map_side), photo.colour, max_memory)
    result = pixels_of(enhanced_image(image_of(view), channels, lines, strength))
    meter = FailureMeter()
    meter.add(photo.colour.to_srgb(view), photo.colour.to_srgb(result))
    if job.light_map:
        lit = light_map_image(upright_stream(photo), channels, lines) * LIGHT_MAP_OF_ONE
        write_image(job.light_map, lit.rint().cast("ushort"), Metadata())
    if job.compare:
        before = see_small(reduced(COMPARED_SIDE), COMPARED_SIDE)
        after = pixels_of(enhanced_image(image_of(before), channels, lines, strength))
        write_photo(job.compare, side_by_side(before, after))
    # Last, so that where the result is, everything is.
    enhanced = enhanced_image(upright_stream(photo), channels, lines, strength)
    write_image(job.target, enhanced, metadata, photo.header.lossless)
    return meter.signs()


def light_map_image(image: pyvips.Image, channels: int, lines: LightLines) -> pyvips.Image:
    """The light map of a photograph as libvips' image, of floating point.

    Args:
        image: The photograph, with or without alpha.
        channels: Of it without alpha: 1 or 3.
        lines: Its light map.
    """
    return lines.of_image(_brightness(without_alpha(image, channels)))


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
    colours = without_alpha(image, channels)
    light_map = lines.of_image(_brightness(colours))
    if strength != 1:
        blended = (light_map - 1) * strength + 1
        # The larger of it and the floor, but of the light map where that is less.
        floor = light_map.clamp(min=0, max=FLOOR)
        light_map = (blended > floor).ifthenelse(blended, floor)
    enhanced = (colours.cast("float") / (light_map + EPS)).rint().cast(image.format)
    if image.bands == channels:
        return enhanced
    return enhanced.bandjoin(image[channels])


def without_alpha(image: pyvips.Image, channels: int) -> pyvips.Image:
    """The first `channels` of an image, and nothing beside them."""
    return image.extract_band(0, n=channels) if image.bands > channels else image


def _brightness(colours: pyvips.Image) -> pyvips.Image:
    scale = 1 / (_full_scale(colours) * colours.bands)
    return colours.recomb([[scale] * colours.bands])


def _full_scale(image: pyvips.Image) -> int:
    return 65535 if image.format == "ushort" else 255
