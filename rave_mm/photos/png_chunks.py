"""The chunks of a PNG file that hold metadata: libvips knows few, and puts XMP elsewhere."""

import re
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from rave_mm.photos.metadata import Metadata

_TEXTS = (b"iTXt", b"zTXt", b"tEXt")
_EXIF_PREFIX = b"Exif\0\0"
_RAW_PROFILE = re.compile(rb"\n\w+\n\s*\d+\n([0-9a-fA-F\s]+)")
_LONGEST = 64 * 2**20


def read_chunks(
    path: Path, kinds: Collection[bytes], before_pixels: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the chunks of a PNG file that are of some kinds.

    Args:
        path: The file.
        kinds: Such as ``b"tEXt"``.
        before_pixels: Whether to look no further than to where the pixels begin.
    """
    with path.open("rb") as file:
        file.seek(8)
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if before_pixels and kind == b"IDAT":
                break
            if kind not in kinds or length > _LONGEST:
                file.seek(length + 4, 1)
                continue
            yield kind, file.read(length)
            file.seek(4, 1)


def png_metadata(path: Path) -> Metadata:
    """EXIF, XMP, resolution and texts of a PNG file, as they are, wherever they stand in it.

    libvips does not look behind the pixels, where some programs write them, nor at EXIF that
    ImageMagick wrote as text, and makes up a resolution where there is none.
    """
    exif = xmp = b""
    dpi = None
    parts = []
    for kind, data in read_chunks(path, (b"eXIf", b"pHYs", *_TEXTS)):
        keyword, _, rest = data.partition(b"\0")
        if kind == b"eXIf":
            exif = data
        elif kind == b"pHYs":
            across, down, unit = struct.unpack(">IIB", data[:9])
            if unit == 1 and across and down:  # per metre
                dpi = across * 0.0254, down * 0.0254
        elif keyword == b"XML:com.adobe.xmp":
            if kind == b"iTXt":
                text = rest[2:].split(b"\0", 2)[2]
                xmp = _unpacked(text) if rest[:1] == b"\1" else text
            else:  # where libvips writes it
                xmp = _unpacked(rest[1:]) if kind == b"zTXt" else rest
        elif keyword in (b"Raw profile type exif", b"Raw profile type APP1"):
            text = _unpacked(rest[1:]) if kind == b"zTXt" else rest
            if not exif and (found := _RAW_PROFILE.search(text)):
                exif = bytes.fromhex(found[1].decode())
        else:
            parts.append((kind, data))
    return Metadata(exif, xmp=xmp, dpi=dpi, parts=tuple(parts))


def packed_chunks(metadata: Metadata) -> bytes:
    """Texts, XMP and EXIF of a PNG file, as they stand in one."""
    chunks = [part for part in metadata.parts if part[0] in _TEXTS]
    if metadata.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + metadata.xmp))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif.removeprefix(_EXIF_PREFIX)))
    return b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _unpacked(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _LONGEST)
