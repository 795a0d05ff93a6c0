"""Writes photographs, so that a file of a given name is always a whole one."""

import os
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image
from pyvips.enums import ForeignKeep

from rave_mm.photos.colour import image_of, pixels_of
from rave_mm.photos.errors import reason
from rave_mm.photos.formats import (
    AVIF,
    BMP,
    FORMATS,
    HEIC,
    JPEG,
    PNG,
    TIFF,
    WEBP,
    Format,
    format_of_name,
)
from rave_mm.photos.metadata import PHOTOSHOP, Metadata
from rave_mm.photos.metadata_writer import add_metadata
from rave_mm.photos.photo import LoadedPhoto, Values
from rave_mm.photos.pillow_reader import register_heic
from rave_mm.runtime.whole_files import replacing

_ALL_BUT_EXIF = ForeignKeep.ALL & ~ForeignKeep.EXIF
_NO_DPI = (72, 72)  # what JPEG and PNG files say that have no resolution
_INTERPRETATIONS = {
    (True, "uchar"): "b-w",
    (True, "ushort"): "grey16",
    (False, "uchar"): "srgb",
    (False, "ushort"): "rgb16",
}
_LARGEST_TIFF = 4 * 10**9
_QUALITY = 95
# AVIF spends its bits better: this is beyond JPEG at 95.
_AVIF_QUALITY = 91
# The encoders' usual effort takes 8 (HEIC) and 35 to 48 (AVIF) times as long, and saves 8% of the
# bytes (AVIF 5% of a picture full of detail, 30% of a smooth one). AVIF at 91 is then as near to
# the picture as at 90 with that, within 0.3 dB.
_AVIF_EFFORT, _HEIC_EFFORT = 0, {"preset": "ultrafast"}


def write_photo(path: Path | str, values: Values, like: LoadedPhoto | None = None) -> None:
    """Write a photograph.

    JPEG, WebP and HEIC get quality 95, JPEG also full colour resolution (4:4:4); AVIF gets 91;
    WebP that was lossless stays so. 16 bits per channel are rounded to 8 in formats that hold no
    more than that.

    Args:
        path: Where to. Its extension says the format.
        values: (H, W, 3) RGB or (H, W, 1) gray, uint8 or uint16.
        like: Whose alpha and metadata the file gets, as far as its format holds them.

    Raises:
        ValueError: An extension that is not written, another shape or type, or alpha that is not
            opaque in a format without.
        OSError: It cannot be written.
    """
    path = Path(path)
    like = like or LoadedPhoto(values)
    kind = check_can_hold(path, like.alpha)
    if values.ndim != 3 or values.shape[2] not in (1, 3) or 0 in values.shape:
        raise ValueError(
            f"cannot write {path}: got shape {values.shape}, expected (H, W, 3) or (H, W, 1)"
        )
    if values.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"cannot write {path}: got {values.dtype}, expected uint8 or uint16")
    image = image_of(values)
    if like.alpha is not None and kind.alpha:
        image = image.bandjoin(image_of(like.alpha[..., None]))
    write_image(path, image, like.metadata, like.lossless)


def write_image(
    path: Path, image: pyvips.Image, metadata: Metadata, lossless: bool = False
) -> None:
    """Write libvips' image as :func:`write_photo` writes an array; it is computed meanwhile.

    Args:
        path: Where to.
        image: Gray, gray and alpha, RGB or RGBA, of 8 or 16 bits. What it says of itself beside its
            pixels is not written.
        metadata: What else the file gets.
        lossless: Whether WebP stores the pixels as they are.

    Raises:
        ValueError: An extension that is not written.
        OSError: It cannot be written, or computed.
    """
    kind = check_can_hold(path, None)
    if image.format == "ushort" and not kind.deep:
        # Rounded, where libvips would drop the lower bits.
        image = (image / 257).rint().cast("uchar")
    image = image.copy(interpretation=_INTERPRETATIONS[image.bands < 3, image.format])
    for name in image.get_fields():
        if name.endswith("-data") or name.startswith(("exif-", "png-comment-")):
            image.remove(name)
    with replacing(path) as unfinished:
        try:
            if kind in (BMP, HEIC):
                _write_with_pillow(unfinished, kind, pixels_of(image), metadata)
                return
            _write_with_libvips(unfinished, kind, image, metadata, lossless)
        except pyvips.Error as error:
            raise OSError(f"cannot write {path}: {reason(error)}") from error
        add_metadata(unfinished, kind, metadata)


def check_can_hold(path: Path, alpha: Values | None) -> Format:
    """The format of a file to write, if it can hold the alpha of a photograph.

    Args:
        path: The file's name.
        alpha: The alpha, or None. Where all is opaque, a format without alpha will do.

    Raises:
        ValueError: It is not written here, or has no alpha.
    """
    kind = format_of_name(path)
    if kind is None or kind.written_as:
        ends = ", ".join(known.extensions[0] for known in FORMATS if not known.written_as)
        raise ValueError(f"cannot write {path}: expected a name in {ends}")
    if kind.missing:
        raise ValueError(f"cannot write {path}: {kind.missing}")
    if alpha is not None and not kind.alpha and alpha.min() < np.iinfo(alpha.dtype).max:
        raise ValueError(
            f"cannot write {path}: {kind.name} has no alpha; expected a format that keeps it, such "
            "as png"
        )
    return kind


def _write_with_libvips(
    path: Path, kind: Format, image: pyvips.Image, metadata: Metadata, lossless: bool
) -> None:
    across, down = metadata.dpi or _NO_DPI
    image = image.copy(xres=across / 25.4, yres=down / 25.4)
    blobs = {"icc-profile": metadata.icc_profile}
    if kind not in (JPEG, PNG):
        blobs["xmp"] = metadata.xmp
    if kind is TIFF:
        blobs["photoshop"] = metadata.iptc.removeprefix(PHOTOSHOP)
    elif kind is AVIF:
        blobs["exif"] = metadata.exif
    for name, data in blobs.items():
        if data:
            image.set_type(pyvips.GValue.blob_type, f"{name}-data", data)
    target = os.fsencode(path)
    if kind is JPEG:
        image.jpegsave(target, Q=_QUALITY, subsample_mode="off", keep=_ALL_BUT_EXIF)
    elif kind is PNG:
        # The filter that photographs become small with, without trying all of them.
        image.pngsave(target, compression=4, filter="paeth", keep=_ALL_BUT_EXIF)
    elif kind is TIFF:
        size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
        image.tiffsave(target, bigtiff=size > _LARGEST_TIFF, keep=_ALL_BUT_EXIF)
    elif kind is WEBP:
        image.webpsave(target, Q=_QUALITY, lossless=lossless, exact=True, keep=_ALL_BUT_EXIF)
    else:
        bits = 12 if image.format == "ushort" else 8
        image.heifsave(
            target, compression="av1", Q=_AVIF_QUALITY, effort=_AVIF_EFFORT, bitdepth=bits
        )


def _write_with_pillow(path: Path, kind: Format, pixels: Values, metadata: Metadata) -> None:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    dpi = {"dpi": metadata.dpi} if metadata.dpi else {}
    if kind is BMP:
        image.save(path, "BMP", **dpi)
        return
    register_heic()
    image.save(
        path,
        "HEIF",
        quality=_QUALITY,
        enc_params=_HEIC_EFFORT,
        exif=metadata.exif or None,
        xmp=metadata.xmp or None,
        icc_profile=metadata.icc_profile or None,
    )
