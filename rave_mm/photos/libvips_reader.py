"""Opens what libvips reads: JPEG, PNG, TIFF, AVIF and GIF."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from rave_mm.photos.colour import image_of, pixels_of
from rave_mm.photos.declared_colour import declared_profile
from rave_mm.photos.errors import UnreadablePhotoError, reason
from rave_mm.photos.formats import AVIF, GIF, HEAD, JPEG, PNG, TIFF, Format
from rave_mm.photos.jpeg_segments import (
    Segment,
    announced_by,
    parts_of,
    photoshop_of,
    read_segments,
)
from rave_mm.photos.metadata import (
    ORIENTATION,
    Metadata,
    announced_by_xmp,
    damage_told,
    parse_exif,
    photoshop_resources,
    tiff_tags,
    upright_exif,
    xmp_of_result,
)
from rave_mm.photos.photo import Header, Photo, Values
from rave_mm.photos.png_chunks import png_metadata

LOADERS: dict[Format, Callable[..., pyvips.Image]] = {
    JPEG: pyvips.Image.jpegload,
    PNG: pyvips.Image.pngload,
    TIFF: pyvips.Image.tiffload,
    AVIF: pyvips.Image.heifload,
    GIF: pyvips.Image.gifload,
}


def open_with_libvips(path: Path, kind: Format) -> Photo:
    """Open a file of one of the formats in `LOADERS`.

    Raises:
        UnreadablePhotoError: Its header is damaged, or it holds what is not read.
    """
    image = _load(path, kind)
    alpha = bool(image.hasalpha())
    channels = image.bands - alpha
    if image.format not in ("uchar", "ushort", "float") or channels not in (1, 3, 4):
        raise UnreadablePhotoError(
            path,
            f"got {image.bands} channels of the type {image.format}; expected gray, RGB or CMYK, "
            "of 8 or 16 bits, or 32 bits of floating point",
        )
    floating = image.format == "float"
    exif, xmp = _get(image, "exif-data", b""), _get(image, "xmp-data", b"")
    # None for AVIF, which libheif turns upright by itself.
    orientation = int(_get(image, "orientation", 1))
    dpi = _dpi(image) if kind in (JPEG, TIFF) else None
    segments = read_segments(path) if kind is JPEG else []
    parts = parts_of(segments)
    if kind is PNG:
        with damage_told(path):
            chunks = png_metadata(path)
            exif, xmp, dpi, parts = chunks.exif, chunks.xmp, chunks.dpi, chunks.parts
            orientation = int(parse_exif(exif).get(ORIENTATION, 1))
    profile, unused = declared_profile(
        path, kind, channels, _get(image, "icc-profile-data", b""), exif
    )
    announced = announced_by_xmp(xmp) + announced_by(segments)
    header = Header(
        height=image.height,
        width=image.width,
        channels=channels,
        alpha=alpha,
        deep=image.format != "uchar",
        orientation=orientation,
        icc_profile=profile,
        shrinks=kind is JPEG,
        by_rows=kind is not AVIF and not floating,
        notes=tuple(dict.fromkeys([*announced, *_notes(path, kind, image), *unused])),
    )

    def stream(shrink: int) -> pyvips.Image:
        shrunk = {"shrink": shrink} if shrink > 1 else {}
        pixels = _load(path, kind, **shrunk)
        return image_of(_as_16_bits(path, pixels_of(pixels))) if floating else pixels

    def read_metadata() -> Metadata:
        with damage_told(path):
            tags = tiff_tags(path) if kind is TIFF else parse_exif(exif)
            return Metadata(
                upright_exif(tags, *photo.size),
                b"" if channels == 4 else header.icc_profile,
                xmp_of_result(xmp),
                _photoshop(kind, image, segments),
                dpi,
                parts,
            )

    photo = Photo(path, kind, header, stream, read_metadata)
    return photo


def _load(path: Path, kind: Format, **options: Any) -> pyvips.Image:
    if kind in (JPEG, PNG, AVIF):
        options["unlimited"] = True  # profiles of megabytes are common; `open_photo` has a limit
    pyvips.vips_lib.vips_error_clear()  # of what an earlier file was forgiven
    # Not by the general loader, which takes brackets in a name for options.
    try:
        return LOADERS[kind](os.fsencode(path), access="sequential", fail_on="error", **options)
    except pyvips.Error as error:
        raise UnreadablePhotoError(path, reason(error)) from error


def _photoshop(kind: Format, image: pyvips.Image, segments: Sequence[Segment]) -> bytes:
    if kind is JPEG:
        return photoshop_resources(photoshop_of(segments))
    if kind is TIFF:
        resources, iptc = (_get(image, name, b"") for name in ("photoshop-data", "iptc-data"))
        return photoshop_resources(resources, iptc)
    return b""


def _dpi(image: pyvips.Image) -> tuple[float, float] | None:
    # Where the file says nothing, libvips makes something up.
    known = image.get_typeof("resolution-unit") and min(image.xres, image.yres) > 0
    return (image.xres * 25.4, image.yres * 25.4) if known else None


def _get(image: pyvips.Image, name: str, default: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else default


def _notes(path: Path, kind: Format, image: pyvips.Image) -> list[str]:
    notes = []
    if (count := int(_get(image, "n-pages", 1))) > 1:
        frames = "pages" if kind is TIFF else "frames"
        notes.append(f"has {count} {frames}, of which the first is kept")
    if kind is AVIF:
        with path.open("rb") as file:
            if b"avis" in file.read(HEAD):
                notes.append("has several frames, of which the first is kept")
    if image.format == "float":
        notes.append("floating point becomes 16 bits")
    return notes


def _as_16_bits(path: Path, pixels: np.ndarray) -> Values:
    finite = np.isfinite(pixels)
    if not finite.all():
        row, column, channel = np.argwhere(~finite)[0]
        raise UnreadablePhotoError(
            path,
            f"{pixels[row, column, channel]} at row {row}, column {column}, channel {channel}, "
            f"the first of {finite.size - finite.sum()} values that are not finite",
        )
    lowest, highest = pixels.min(), pixels.max()
    if lowest < 0 or highest > 1:
        raise UnreadablePhotoError(
            path, f"got floating-point values from {lowest:g} to {highest:g}; expected 0 to 1"
        )
    return np.round(pixels * 65535).astype(np.uint16)
