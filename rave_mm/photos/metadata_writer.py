"""Puts into a finished file what libvips does not write as it is.

libvips writes EXIF into JPEG, PNG and WebP by way of libexif, which drops each tag that it does not
know, such as a photograph's rating, and into TIFF none; and a PNG's XMP where few look for it.
"""

import struct
from pathlib import Path

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rave_mm.photos.formats import JPEG, PNG, TIFF, WEBP, Format
from rave_mm.photos.jpeg_segments import packed_segments
from rave_mm.photos.metadata import EXIF_TAGS, GPS_TAGS, Metadata, directory_of, parse_exif
from rave_mm.photos.png_chunks import packed_chunks

_PREFIX = b"Exif\0\0"
_VP8X_EXIF, _VP8X_ALPHA = 8, 16


def add_metadata(path: Path, kind: Format, metadata: Metadata) -> None:
    """Add EXIF to a file that has none, parts of its own format, and XMP to a PNG file.

    Args:
        path: The file.
        kind: Its format; others than JPEG, PNG, WebP and TIFF get nothing.
        metadata: What it is to hold.

    Raises:
        ValueError: More EXIF than a JPEG file can hold.
    """
    if kind is JPEG:
        _into_jpeg(path, metadata)
    elif kind is PNG:
        _insert(path, 33, packed_chunks(metadata))  # behind the header
    elif kind is WEBP and metadata.exif:
        _into_webp(path, metadata.exif)
    elif kind is TIFF and metadata.exif:
        _into_tiff(path, metadata.exif)


def _into_jpeg(path: Path, metadata: Metadata) -> None:
    with path.open("rb") as file:
        head = file.read(6)
    jfif = head[2:4] == b"\xff\xe0"  # whose segment wants to be first
    place = 4 + int.from_bytes(head[4:6], "big") if jfif else 2
    _insert(path, place, packed_segments(metadata))


def _insert(path: Path, place: int, addition: bytes) -> None:
    if addition:
        data = path.read_bytes()
        with path.open("wb") as file:
            file.write(data[:place])
            file.write(addition)
            file.write(memoryview(data)[place:])


def _into_webp(path: Path, exif: bytes) -> None:
    data = bytearray(path.read_bytes())
    if data[12:16] != b"VP8X":
        # The simple form, of nothing but pixels, has no room for more.
        width, height, alpha = _simple_webp(data)
        flags = struct.pack("<I", _VP8X_ALPHA if alpha else 0)
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        data[12:12] = b"VP8X" + struct.pack("<I", 10) + flags + sides
    data[20] |= _VP8X_EXIF
    tags = exif.removeprefix(_PREFIX)
    data += b"EXIF" + struct.pack("<I", len(tags)) + tags + bytes(len(tags) % 2)
    data[4:8] = struct.pack("<I", len(data) - 8)
    path.write_bytes(data)


def _simple_webp(data: bytearray) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha, of a WebP file in its simple form."""
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF, False


def _into_tiff(path: Path, exif: bytes) -> None:
    """Write the directory of the file anew at its end, with the tags of EXIF among its own."""
    with path.open("r+b") as file:
        header = file.read(16)
        order = "<" if header[:2] == b"II" else ">"
        big = struct.unpack(f"{order}H", header[2:4])[0] == 43
        count, entry, place, at = ("Q", 20, "Q", 8) if big else ("H", 12, "I", 4)
        (start,) = struct.unpack_from(f"{order}{place}", header, at)
        file.seek(start)
        (number,) = struct.unpack(f"{order}{count}", file.read(struct.calcsize(count)))
        own = [file.read(entry) for _ in range(number)]
        added = ImageFileDirectory_v2(header[:16] if big else header[:8])
        tags = parse_exif(exif)
        for tag, value in tags.items():
            added[tag] = directory_of(tags, tag) if tag in (EXIF_TAGS, GPS_TAGS) else value
        end = file.seek(0, 2)
        end += file.write(bytes(end % 2))
        block = added.tobytes(end)
        file.write(block)
        first = struct.calcsize(count)
        new = [block[first + i * entry : first + (i + 1) * entry] for i in range(len(added))]

        def tag_of(record: bytes) -> int:
            return int(struct.unpack(f"{order}H", record[:2])[0])

        known = {tag_of(record) for record in own}
        merged = sorted(own + [r for r in new if tag_of(r) not in known], key=tag_of)
        directory = file.seek(0, 2)
        directory += file.write(bytes(directory % 2))
        file.write(struct.pack(f"{order}{count}", len(merged)) + b"".join(merged))
        file.write(struct.pack(f"{order}{place}", 0))
        file.seek(at)
        file.write(struct.pack(f"{order}{place}", directory))
