"""Reads photograph files with all that is kept of them, and writes results.

A result keeps the photograph's bits per channel, alpha, gray, EXIF, XMP, resolution and colour
profile. It is upright, with an orientation of 1. Palettes become RGB, and so does CMYK, whose
colour profile is dropped. Of several frames the first is kept. EXIF's thumbnail, which would
show the photograph as it was, and a TIFF's tags about its layout are left out.
"""

import importlib.util
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from rave_mm.photos.image_files import (
    UnreadablePhotoError,
    decode_photo,
    decoding,
    photo_size,
    stored_bits,
)
from rave_mm.photos.photo_folders import PHOTO_EXTENSIONS
from rave_mm.photos.png_tiff_writers import write_deep_png, write_tiff
from rave_mm.runtime.whole_files import replacing

HEIC_EXTENSIONS = (".heic", ".heif")
"""Read and written where the package pillow-heif is installed."""

_FORMATS = {
    ".bmp": "BMP",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
_ORIENTATION = 0x0112
_EXIF_TAGS = 0x8769
_WIDTH_AND_HEIGHT = (0xA002, 0xA003)
# Tags of a TIFF that tell where and how its pixels are stored, and those kept on their own.
_LAYOUT_TAGS = frozenset(
    [*range(254, 267), 273, *range(277, 282), *range(284, 290), 292, 293, 297, 301, 317]
    + [*range(318, 348), *range(512, 533), 700, 34675, 50838, 50839]
)
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation\s*(?:=\s*["\']|>)\s*)[2-8]')


@dataclass(frozen=True)
class PhotoFile:
    """What is kept of a photograph's file.

    Attributes:
        pixels: (H, W, 3) RGB or (H, W, 1) gray, upright, uint8 or uint16.
        alpha: (H, W), of the same type, or None.
        exif: EXIF, with an orientation of 1 if it had one; empty if there is none, as with the
            rest.
        icc_profile: Colour profile.
        xmp: XMP packet.
        dpi: Pixels per inch, across and down.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes = b""
    icc_profile: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None

    def with_pixels(self, pixels: np.ndarray) -> "PhotoFile":
        """The same with other pixels of the same size."""
        return replace(self, pixels=pixels)


def photo_extensions() -> tuple[str, ...]:
    """The extensions of what can be read and written here."""
    return PHOTO_EXTENSIONS + (HEIC_EXTENSIONS if register_heic() else ())


def register_heic() -> bool:
    """Have Pillow read and write HEIC; whether pillow-heif is installed, which that needs."""
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


def read_photo_file(path: Path | str) -> PhotoFile:
    """Read a photograph and all that is kept of its file.

    Args:
        path: A file as for :func:`rave_mm.photos.image_files.read_photo`, or HEIC.

    Returns:
        Pixels and metadata.

    Raises:
        UnreadablePhotoError: As :func:`rave_mm.photos.image_files.read_photo`; also for EXIF that
            is broken, and for as many pixels as a decompression bomb has.
    """
    path = Path(path)
    _check_heic(path)
    decoded = decode_photo(path)
    pixels = decoded.pixels
    colours = 3 if pixels.shape[2] > 2 else 1
    info = decoded.info
    dpi = info.get("dpi")
    with decoding(path):
        return PhotoFile(
            np.ascontiguousarray(pixels[..., :colours]),
            pixels[..., -1].copy() if pixels.shape[2] in (2, 4) else None,
            _exif(decoded.exif, decoded.mode, pixels.shape[1], pixels.shape[0]),
            b"" if decoded.mode == "CMYK" else info.get("icc_profile") or b"",
            _xmp(info.get("xmp") or info.get("XML:com.adobe.xmp") or b""),
            (float(dpi[0]), float(dpi[1])) if dpi and dpi[0] > 0 and dpi[1] > 0 else None,
        )


def write_photo_file(path: Path | str, photo: PhotoFile) -> None:
    """Write a photograph, so that a file of this name is always a whole one.

    JPEG and WebP get quality 95, JPEG also full colour resolution (4:4:4). What has 16 bits per
    channel is rounded to 8 in formats that hold no more than that.

    Args:
        path: Where to. Its extension says the format.
        photo: What to write.

    Raises:
        ValueError: An extension that is not written here, or alpha in JPEG or BMP that is not
            opaque throughout.
        OSError: It cannot be written.
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"cannot write {path}: expected a name in {', '.join(photo_extensions())}")
    _check_heic(path)
    pixels, alpha = photo.pixels, photo.alpha
    if alpha is not None and kind in ("JPEG", "BMP"):
        if alpha.min() < np.iinfo(alpha.dtype).max:
            raise ValueError(
                f"cannot write {path}: {kind} has no alpha; expected a format that keeps it, "
                "such as png"
            )
        alpha = None
    if alpha is not None:
        pixels = np.concatenate([pixels, alpha[..., None]], axis=2)
    deep = pixels.dtype == np.uint16
    writer = write_tiff if kind == "TIFF" else write_deep_png if kind == "PNG" and deep else None
    with replacing(path) as unfinished:
        if writer:
            writer(
                unfinished,
                pixels,
                exif=photo.exif,
                icc_profile=photo.icc_profile,
                xmp=photo.xmp,
                dpi=photo.dpi,
            )
            return
        if deep:
            pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
        _write_by_pillow(unfinished, kind, pixels, photo)


def memory_of_photo(path: Path | str) -> int:
    """Bytes that reading, enhancing and writing a photograph take at most, the network aside.

    Args:
        path: The file, of which only the header is read.

    Returns:
        Bytes.

    Raises:
        UnreadablePhotoError: The header is not understood.
    """
    path = Path(path)
    _check_heic(path)
    height, width = photo_size(path)
    with decoding(path), Image.open(path) as image:
        with path.open("rb") as file:
            deep = stored_bits(image, file.read(32)) == 16
        # Pillow keeps 4 bytes a pixel whatever the mode, beside our copies of the pixels, before
        # and after; 2 are for a light map.
        per_pixel = 24 if deep else 17 if image.has_transparency_data else 12
    return height * width * per_pixel + path.stat().st_size


def _write_by_pillow(path: Path, kind: str, pixels: np.ndarray, photo: PhotoFile) -> None:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    options: dict[str, object] = {}
    if photo.dpi:
        options["dpi"] = photo.dpi
    if kind != "BMP":
        options["icc_profile"] = photo.icc_profile or None
        options["exif"] = photo.exif
    if kind in ("JPEG", "WEBP", "HEIF"):
        options["quality"] = 95
        if photo.xmp:
            options["xmp"] = photo.xmp
    if kind == "JPEG":
        options["subsampling"] = "4:4:4"
    elif kind == "PNG":
        options["compress_level"] = 4  # half the time of Pillow's 6, and photographs as small
        if photo.xmp:
            text = PngImagePlugin.PngInfo()
            text.add_itxt("XML:com.adobe.xmp", photo.xmp.decode("utf-8", "replace"))
            options["pnginfo"] = text
    image.save(path, kind, **options)


def _exif(exif: Image.Exif, mode: str, width: int, height: int) -> bytes:
    kept = Image.Exif()
    for tag, value in exif.items():
        if tag not in _LAYOUT_TAGS:
            kept[tag] = exif.get_ifd(tag) if tag in (_EXIF_TAGS, 0x8825) else value
    if not kept:
        return b""
    if _ORIENTATION in kept:
        kept[_ORIENTATION] = 1
    inner = kept.get(_EXIF_TAGS)
    if isinstance(inner, dict):
        for tag, size in zip(_WIDTH_AND_HEIGHT, (width, height), strict=True):
            if tag in inner:
                inner[tag] = size
    return kept.tobytes()


def _xmp(packet: bytes | str) -> bytes:
    data = packet.encode() if isinstance(packet, str) else packet
    return _XMP_ORIENTATION.sub(rb"\g<1>1", data)


def _check_heic(path: Path) -> None:
    if path.suffix.lower() in HEIC_EXTENSIONS and not register_heic():
        raise UnreadablePhotoError(path, "HEIC needs pillow-heif: pip install pillow-heif")
