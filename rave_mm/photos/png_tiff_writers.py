"""Writes 16-bit PNG, and TIFF, with metadata.

Pillow has no pixels of 16 bits and three channels, and loses a TIFF's EXIF where it has XMP as
well. OpenCV writes no metadata.
"""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_ROWS = 64
_PNG_KINDS = (0, 4, 2, 6)  # colour type by the number of channels
_SUB = b"\1"  # the filter that keeps differences to the pixel on the left
_BYTE, _SHORT, _LONG, _UNDEFINED = 1, 3, 4, 7
_EXIF_TAGS, _GPS_TAGS = 34665, 34853


def write_deep_png(
    path: Path,
    pixels: np.ndarray,
    *,
    exif: bytes = b"",
    icc_profile: bytes = b"",
    xmp: bytes = b"",
    dpi: tuple[float, float] | None = None,
) -> None:
    """Write a PNG of 16 bits per channel, some rows at a time.

    Args:
        path: Where to.
        pixels: uint16 (H, W, C): gray, gray and alpha, RGB or RGBA.
        exif: As `Image.Exif.tobytes` gives it; nothing if empty, as with the rest.
        icc_profile: Colour profile.
        xmp: XMP packet.
        dpi: Pixels per inch, across and down.
    """
    height, width, count = pixels.shape
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        kind = _PNG_KINDS[count - 1]
        _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
        if icc_profile:
            _chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
        if dpi:
            per_metre = [round(value / 0.0254) for value in dpi]
            _chunk(file, b"pHYs", struct.pack(">IIB", *per_metre, 1))
        if exif:
            _chunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
        if xmp:
            _chunk(file, b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + xmp)
        packer = zlib.compressobj(4)
        for top in range(0, height, _ROWS):
            rows = pixels[top : top + _ROWS].astype(">u2").view(np.uint8)
            rows = rows.reshape(len(rows), -1)
            filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
            filtered[:, 0] = _SUB[0]
            step = 2 * count
            filtered[:, 1 : step + 1] = rows[:, :step]
            filtered[:, step + 1 :] = rows[:, step:] - rows[:, :-step]
            if packed := packer.compress(filtered.data):
                _chunk(file, b"IDAT", packed)
        _chunk(file, b"IDAT", packer.flush())
        _chunk(file, b"IEND", b"")


def write_tiff(
    path: Path,
    pixels: np.ndarray,
    *,
    exif: bytes = b"",
    icc_profile: bytes = b"",
    xmp: bytes = b"",
    dpi: tuple[float, float] | None = None,
) -> None:
    """Write a TIFF, not compressed, some rows at a time.

    Gray and alpha of 16 bits become RGBA, since Pillow cannot read the former.

    Args:
        path: Where to.
        pixels: uint8 or uint16 (H, W, C): gray, gray and alpha, RGB or RGBA; alpha is not
            premultiplied.
        exif: As for :func:`write_deep_png`.
        icc_profile: Colour profile.
        xmp: XMP packet.
        dpi: Pixels per inch, across and down.

    Raises:
        ValueError: More than the 4 GB that a TIFF can hold.
    """
    if pixels.dtype == np.uint16 and pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    height, width, count = pixels.shape
    if pixels.nbytes > 4 * 10**9:
        raise ValueError(f"cannot write {path}: {pixels.nbytes} bytes do not fit in a TIFF")
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    tags = Image.Exif()
    if exif:
        tags.load(exif)
        for tag, value in tags.items():
            inner = tag in (_EXIF_TAGS, _GPS_TAGS)
            directory[tag] = tags.get_ifd(tag) if inner else value
    entries: list[tuple[int, int, int | bytes | tuple[int, ...]]] = [
        (256, _LONG, width),
        (257, _LONG, height),
        (258, _SHORT, (8 * pixels.itemsize,) * count),
        (259, _SHORT, 1),  # not compressed
        (262, _SHORT, 2 if count > 2 else 1),  # RGB, or black is 0
        (273, _LONG, 0),  # where the pixels are; counted by Pillow from behind this directory
        (277, _SHORT, count),
        (278, _LONG, height),
        (279, _LONG, pixels.nbytes),
        (284, _SHORT, 1),  # interleaved
    ]
    if count in (2, 4):
        entries.append((338, _SHORT, 2))  # alpha, not premultiplied
    if xmp:
        entries.append((700, _BYTE, xmp))
    if icc_profile:
        entries.append((34675, _UNDEFINED, icc_profile))
    for tag, kind, value in entries:
        directory.tagtype[tag] = kind
        directory[tag] = value
    if dpi:
        directory[282], directory[283], directory[296] = dpi[0], dpi[1], 2
    with path.open("wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, 8) + directory.tobytes(8))
        for top in range(0, height, _ROWS):
            rows = pixels[top : top + _ROWS]
            file.write(np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).data)


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data)
    file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))
