"""Read and write photographs.

Every photograph leaves this module as an RGB array (H, W, 3), upright: uint8, or uint16
where the file holds 16 bits per channel. Pillow reads everything but 16-bit files, which
it would cut to 8 bits; OpenCV reads those.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from rave_mm.runtime.whole_files import replacing

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_DECODER_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG or TIFF header
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    cv2.error,
)
_PNG_GRAY_AND_ALPHA = 4


class UnreadablePhotoError(RuntimeError):
    """A photograph that is missing, truncated, corrupt or of a kind that is not read.

    Attributes:
        path: The file.
        reason: What is wrong with it, in words.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot read photograph {self.path}: {self.reason}"


@dataclass(frozen=True)
class DecodedPhoto:
    """What a photograph's file holds.

    Attributes:
        pixels: (H, W, C), upright, uint8 or uint16; gray, gray and alpha, RGB or RGBA for 1 to 4
            channels.
        mode: Pillow's name for the kind of pixels in the file, such as "CMYK".
        exif: Its EXIF tags; the orientation among them is already applied. A TIFF's are all of
            its tags.
        info: What Pillow tells beside the pixels, such as `icc_profile`.
    """

    pixels: np.ndarray
    mode: str
    exif: Image.Exif
    info: dict[Any, Any]


def read_photo(path: Path | str) -> np.ndarray:
    """Read one photograph, upright.

    EXIF orientation is applied. Gray, palette, 1-bit and CMYK become RGB (CMYK without its
    colour profile). Alpha is dropped, not blended: colours under transparent pixels stay as
    they are stored. Of several frames, the first is read. A JPEG that is damaged inside but
    complete to its end is beyond what the decoder tells, and is read as it decodes.

    Args:
        path: A file in one of the formats of ``rave_mm.photos.photo_folders.PHOTO_EXTENSIONS``. Its
            content counts, not its name.

    Returns:
        RGB array (H, W, 3): uint8, or uint16 for 16-bit PNG and TIFF files.

    Raises:
        UnreadablePhotoError: The file is missing, truncated, corrupt, or holds what is
            neither 8 nor 16 bits per channel.
    """
    pixels = decode_photo(path).pixels
    if pixels.shape[2] < 3:
        return np.repeat(pixels[..., :1], 3, axis=2)
    return np.ascontiguousarray(pixels[..., :3])


def decode_photo(path: Path | str) -> DecodedPhoto:
    """Read one photograph as :func:`read_photo` does, with its alpha and metadata; gray as gray.

    Args:
        path: A file as for :func:`read_photo`.

    Returns:
        Its pixels, upright, and what else it holds.

    Raises:
        UnreadablePhotoError: As :func:`read_photo`.
    """
    path = Path(path)
    with decoding(path):
        data = path.read_bytes()
        if not data:
            raise UnreadablePhotoError(path, "the file is empty")
        with Image.open(io.BytesIO(data)) as image:
            mode = image.mode
            if stored_bits(image, data) == 16:
                pixels = _read_16_bit(path, image, data)
            elif mode in _EIGHT_BIT_MODES:
                image.load()
                # Asked after loading: recent Pillow turns a TIFF upright then, and drops the tag.
                orientation = image.getexif().get(_ORIENTATION, 1)
                pixels = _upright(channels(image), orientation)
            else:
                raise UnreadablePhotoError(
                    path,
                    f"got pixels of Pillow's mode {mode!r}; "
                    "expected 8 or 16 bits per channel, gray, RGB, palette or CMYK",
                )
            return DecodedPhoto(
                np.ascontiguousarray(pixels), mode, image.getexif(), dict(image.info)
            )


def channels(image: Image.Image) -> np.ndarray:
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


def read_photo_8_bit(path: Path | str) -> np.ndarray:
    """Read a photograph as :func:`read_photo` does, reduced to uint8 where the file has 16 bits."""
    photo = read_photo(path)
    return photo if photo.dtype == np.uint8 else np.round(photo / 257).astype(np.uint8)


def photo_size(path: Path | str) -> tuple[int, int]:
    """Read a photograph's upright size from its header, without decoding it.

    Args:
        path: A file as for :func:`read_photo`.

    Returns:
        (height, width), as :func:`read_photo` would give it.

    Raises:
        UnreadablePhotoError: The file is missing or its header is not understood.
    """
    path = Path(path)
    with decoding(path), Image.open(path) as image:
        if image.format == "TIFF":
            # Recent Pillow swaps a turned TIFF's size by itself, older ones do not.
            tags = image.tag_v2  # type: ignore[attr-defined]
            width, height, orientation = tags[256], tags[257], tags.get(_ORIENTATION, 1)
        else:
            width, height = image.size
            if image.format == "PNG" and not _metadata_follows_pixels(path):
                # A PNG's own getexif() decodes the whole picture to look behind its pixels.
                orientation = Image.Image.getexif(image).get(_ORIENTATION, 1)
            else:
                orientation = image.getexif().get(_ORIENTATION, 1)
        return (width, height) if orientation in _TURNED else (height, width)


def write_photo(path: Path | str, photo: np.ndarray) -> None:
    """Write a photograph, so that a file of this name is always a whole one.

    Args:
        path: Where to; ``.png``, ``.jpg`` or ``.jpeg`` decides the format. JPEG gets quality
            95 and full colour resolution.
        photo: RGB array (H, W, 3), uint8; for PNG also uint16.

    Raises:
        ValueError: Another extension, shape or type.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise ValueError(f"cannot write {path}: expected a name in .png, .jpg or .jpeg")
    if photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
        raise ValueError(f"cannot write {path}: got shape {photo.shape}, expected (H, W, 3)")
    allowed = ("uint8", "uint16") if suffix == ".png" else ("uint8",)
    if photo.dtype.name not in allowed:
        raise ValueError(
            f"cannot write {path}: got {photo.dtype} values, expected {' or '.join(allowed)}"
        )
    if photo.dtype == np.uint16:
        encoded = cv2.imencode(".png", photo[..., ::-1])[1].tobytes()
    else:
        buffer = io.BytesIO()
        image = Image.fromarray(np.ascontiguousarray(photo))
        if suffix == ".png":
            image.save(buffer, "PNG")
        else:
            image.save(buffer, "JPEG", quality=95, subsampling=0)
        encoded = buffer.getvalue()
    with replacing(path) as unfinished:
        unfinished.write_bytes(encoded)


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn what decoders raise into UnreadablePhotoError, and have them refuse cut files."""
    tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # any library in the process may have set it
    try:
        yield
    except UnreadablePhotoError:
        raise
    except FileNotFoundError:
        raise UnreadablePhotoError(path, "no such file") from None
    except UnidentifiedImageError:
        raise UnreadablePhotoError(path, "not a picture, or of an unknown format") from None
    except _DECODER_ERRORS as error:
        raise UnreadablePhotoError(path, f"{error} ({type(error).__name__})") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def stored_bits(image: Image.Image, head: bytes) -> int:
    """Bits per channel of a PNG or TIFF file that begins with `head`, 8 for other formats."""
    if image.format == "PNG":
        return head[24]
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (1,)))  # type: ignore[attr-defined]
    return 8


def _read_16_bit(path: Path, image: Image.Image, data: bytes) -> np.ndarray:
    inverted = False
    orientation = 1
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        photometric = tags.get(262)
        layout = (tags.get(284, 1), max(tags.get(339, (1,))))
        if photometric not in (0, 1, 2) or layout != (1, 1):
            raise UnreadablePhotoError(
                path,
                f"a 16-bit TIFF of photometric interpretation {photometric}, planar "
                f"configuration {layout[0]}, sample format {layout[1]}; expected gray or RGB "
                "(0, 1 or 2), interleaved (1), unsigned (1): save it as a 16-bit PNG",
            )
        inverted = photometric == 0
        image.load()  # OpenCV turns a TIFF upright by itself
    else:
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None or pixels.dtype != np.uint16:
        raise UnreadablePhotoError(path, "OpenCV cannot decode this 16-bit file")
    if inverted:
        pixels = 65535 - pixels
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    elif image.format == "PNG" and data[25] == _PNG_GRAY_AND_ALPHA:
        pixels = pixels[..., 2:]  # OpenCV has no such kind and makes RGBA of it
    else:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return _upright(pixels, orientation)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (1 to 8; others leave the picture as it is)."""
    if orientation in _TURNED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _metadata_follows_pixels(path: Path) -> bool:
    """Whether a PNG has text or EXIF chunks behind its pixels, as some programs write it."""
    pixels_seen = False
    with path.open("rb") as file:
        file.seek(8)
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            pixels_seen = pixels_seen or kind == b"IDAT"
            if pixels_seen and kind in (b"eXIf", b"iTXt", b"tEXt", b"zTXt"):
                return True
            file.seek(length + 4, os.SEEK_CUR)
    return False
