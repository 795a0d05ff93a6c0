"""Reads photographs: opened for all that they hold, or as plain RGB."""

from pathlib import Path

import numpy as np

from rave_mm.photos.colour import SRGB
from rave_mm.photos.cut_short import seems_cut_short
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.formats import FORMATS, RAW, format_of_file
from rave_mm.photos.libvips_reader import LOADERS, open_with_libvips
from rave_mm.photos.photo import Photo
from rave_mm.photos.pillow_reader import open_with_pillow
from rave_mm.photos.raw_reader import open_raw
from rave_mm.runtime.memory import MAX_PIXELS


def open_photo(path: Path | str, max_pixels: int = MAX_PIXELS) -> Photo:
    """Open a photograph's file: read its header, and nothing else.

    Args:
        path: A file in one of the formats of :mod:`rave_mm.photos.formats`. Its content counts,
            not its name.
        max_pixels: Refuse a photograph of more pixels than this, whatever the size of its file.

    Returns:
        The photograph.

    Raises:
        UnreadablePhotoError: The file is missing, empty, damaged, too large, in a format that is
            not read, or in one whose package is not installed.
    """
    path = Path(path)
    try:
        kind = format_of_file(path)
        size = path.stat().st_size
    except FileNotFoundError:
        raise UnreadablePhotoError(path, "no such file") from None
    except OSError as error:
        raise UnreadablePhotoError(path, error.strerror or str(error)) from error
    if size == 0:
        raise UnreadablePhotoError(path, "the file is empty")
    if kind is None:
        known = ", ".join(known.name for known in FORMATS)
        raise UnreadablePhotoError(
            path, f"not a picture, or of an unknown format; expected {known}"
        )
    if kind.missing:
        raise UnreadablePhotoError(path, kind.missing)
    if kind in LOADERS:
        photo = open_with_libvips(path, kind)
    else:
        photo = open_raw(path) if kind is RAW else open_with_pillow(path, kind)
    height, width = photo.size
    if height * width > max_pixels:
        raise UnreadablePhotoError(
            path,
            f"{width} x {height} pixels are {height * width / 1e6:.0f} megapixels, more than the "
            f"{max_pixels / 1e6:.0f} that are allowed; --max-megapixels of `rave-mm enhance`, or "
            "max_pixels, allows more",
        )
    return photo


def read_photo(path: Path | str, at_least: int | None = None) -> np.ndarray:
    """Read one photograph, upright, in sRGB.

    EXIF orientation is applied, and the colour profile. Gray, palette, 1-bit and CMYK become RGB.
    Alpha is dropped, not blended: colours under transparent pixels stay as they are stored. Of
    several frames, the first is read. A JPEG that is damaged inside but complete to its end is
    beyond what the decoder tells, and is read as it decodes.

    Args:
        path: As for :func:`open_photo`.
        at_least: How many pixels of the short side are enough, see :meth:`Photo.pixels`.

    Returns:
        RGB array (H, W, 3): uint8, or uint16 for what holds more than 8 bits per channel.

    Raises:
        UnreadablePhotoError: As :func:`open_photo`; or the file is cut or damaged.
    """
    photo = open_photo(path)
    values, _ = photo.pixels(at_least)
    if not photo.colour.is_srgb:
        srgb = photo.colour.to_srgb_by_little_cms(values)
        return SRGB.from_srgb(srgb, np.broadcast_to(values[..., :1], srgb.shape))
    return values if values.shape[2] == 3 else np.repeat(values, 3, axis=2)


def read_photo_8_bit(path: Path | str, at_least: int | None = None) -> np.ndarray:
    """Read a photograph as :func:`read_photo` does, reduced to uint8 where the file has 16 bits."""
    photo = read_photo(path, at_least)
    return photo if photo.dtype == np.uint8 else np.round(photo / 257).astype(np.uint8)


def checked_size(path: Path | str) -> tuple[int, int]:
    """Read a photograph's upright size from its header, and see whether its file goes to its end.

    It is decoded only where its end looks cut short.

    Args:
        path: A file as for :func:`open_photo`.

    Returns:
        (height, width), as :func:`read_photo` would give it.

    Raises:
        UnreadablePhotoError: As :func:`open_photo`; or a JPEG, PNG or WebP is cut short.
    """
    photo = open_photo(path)
    if seems_cut_short(Path(path), photo.format):
        read_photo(path)
    return photo.size
