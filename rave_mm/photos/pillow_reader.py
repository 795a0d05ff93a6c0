"""Opens what Pillow reads in place of libvips: WebP, BMP, and HEIC with pillow-heif.

libvips reads WebP too, but by way of threads that a data loader's process would wait for for ever,
if the process before it had used them; see :func:`rave_mm.photos.colour.pixels_of`.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image, ImageFile, UnidentifiedImageError

from rave_mm.photos.colour import image_of
from rave_mm.photos.declared_colour import declared_profile
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.formats import BMP, HEIC, WEBP, Format
from rave_mm.photos.metadata import (
    ORIENTATION,
    PICTURE_NOT_KEPT,
    Metadata,
    announced_by_xmp,
    damage_told,
    upright_exif,
    xmp_of_result,
)
from rave_mm.photos.photo import Header, Photo, Values

READ_BY_PILLOW = (WEBP, BMP, HEIC)
_DECODER_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's word for a broken header
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def open_with_pillow(path: Path, kind: Format) -> Photo:
    """Open a file of one of the formats in `READ_BY_PILLOW`.

    Raises:
        UnreadablePhotoError: Its header is damaged, or the package that reads it is missing.
    """
    with _pillow(path, kind), Image.open(path) as image:
        exif, info, frames = image.getexif(), dict(image.info), getattr(image, "n_frames", 1)
        alpha = image.has_transparency_data
        notes = [f"has {frames} frames, of which the first is kept"] if frames > 1 else []
        notes += announced_by_xmp(info.get("xmp") or b"")
        if (info.get("aux") or info.get("depth_images")) and PICTURE_NOT_KEPT not in notes:
            notes.append(PICTURE_NOT_KEPT)
        if (bits := info.get("bit_depth", 8)) > 8:
            notes.append(f"{bits} bits per channel become 8")
        gray = image.mode in ("1", "L", "LA")
        profile, unused = declared_profile(
            path, kind, 1 if gray else 3, info.get("icc_profile") or b""
        )
        # pillow-heif turns a photograph upright by itself.
        orientation = 1 if kind is HEIC else int(exif.get(ORIENTATION, 1))
        header = Header(
            height=image.height,
            width=image.width,
            channels=1 if gray else 3,
            alpha=alpha,
            orientation=orientation,
            icc_profile=profile,
            by_rows=False,
            lossless=kind is WEBP and _is_lossless_webp(path),
            notes=(*notes, *unused),
        )

    def stream(shrink: int) -> pyvips.Image:
        with _pillow(path, kind), Image.open(path) as image:
            image.load()
            return image_of(channels(image))

    def read_metadata() -> Metadata:
        dpi = info.get("dpi")
        with damage_told(path):
            return Metadata(
                upright_exif(exif, *photo.size),
                header.icc_profile,
                xmp_of_result(info.get("xmp") or b""),
                dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
            )

    photo = Photo(path, kind, header, stream, read_metadata)
    return photo


def channels(image: Image.Image) -> Values:
    """The pixels of an 8-bit Pillow image, of any mode, as (H, W, C).

    Args:
        image: Gray, 1-bit, palette, RGB or CMYK, with or without transparency.

    Returns:
        uint8; gray, gray and alpha, RGB or RGBA for 1 to 4 channels.
    """
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.has_transparency_data:
        mode += "A"
    converted = image if image.mode == mode else image.convert(mode)
    pixels = np.array(converted)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def register_heic() -> None:
    """Have Pillow read and write HEIC; pillow-heif must be installed."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _is_lossless_webp(path: Path) -> bool:
    """Whether the pixels of a WebP file, its first frame's if it moves, are stored without loss."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, length = head[:4], int.from_bytes(head[4:], "little")
            if kind in (b"VP8L", b"VP8 "):
                return kind == b"VP8L"
            # A frame has 16 bytes of its own, and then chunks.
            file.seek(16 if kind == b"ANMF" else length + length % 2, 1)
    return False


@contextmanager
def _pillow(path: Path, kind: Format) -> Iterator[None]:
    """Turn what Pillow raises into UnreadablePhotoError, and have it refuse cut files."""
    if kind is HEIC:
        register_heic()
    tolerant, limit = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # any library in the process may have set it
    Image.MAX_IMAGE_PIXELS = None  # `open_photo` has a limit of its own
    try:
        yield
    except UnidentifiedImageError:
        raise UnreadablePhotoError(path, f"its header is not that of a {kind.name} file") from None
    except _DECODER_ERRORS as error:
        raise UnreadablePhotoError(path, f"{error} ({type(error).__name__})") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = tolerant, limit
