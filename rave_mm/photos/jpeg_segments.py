"""The segments of a JPEG file that hold metadata: libvips drops what is longer than one of them.

A segment holds 65533 bytes. What is longer is spread over several: XMP as Adobe's XMP specification
(part 3, 1.1.3.1) says, Photoshop's resources one piece behind the other.
"""

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

from rave_mm.photos.metadata import PHOTOSHOP, Metadata

LONGEST = 65533
_SCAN, _COMMENT, _APP1, _APP11, _APP13 = 0xDA, 0xFE, 0xE1, 0xEB, 0xED  # markers
_JFIF = b"\xff\xe0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENSION_HEAD = len(_EXTENDED_XMP) + 32 + 8
_ONLY_EXTENDED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
    b'xmpNote:HasExtendedXMP="%s"/></rdf:RDF></x:xmpmeta>'
)


def photoshop_of_jpeg(path: Path) -> bytes:
    """Photoshop's resources in a JPEG file, with ``Photoshop 3.0\\0`` in front; empty if none."""
    pieces = [
        content.removeprefix(PHOTOSHOP)
        for marker, content in _segments(path)
        if marker == _APP13 and content.startswith(PHOTOSHOP)
    ]
    return PHOTOSHOP + b"".join(pieces) if pieces else b""


def parts_of_jpeg(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """Comments and extended XMP of a JPEG file, as :class:`Metadata` has them."""
    parts = []
    for marker, content in _segments(path):
        if marker == _COMMENT:
            parts.append((b"COM", content))
        elif marker == _APP1 and content.startswith(_EXTENDED_XMP):
            parts.append((b"APP1", content))
    return tuple(parts)


def has_content_credentials(path: Path) -> bool:
    """Whether a JPEG file holds a manifest of C2PA, which vouches for the photo as it was."""
    return any(marker == _APP11 and b"c2pa" in content for marker, content in _segments(path))


def add_segments(path: Path, metadata: Metadata) -> None:
    """Put EXIF, XMP, Photoshop's resources and parts of a JPEG file into one that has none.

    Raises:
        ValueError: More EXIF than a JPEG file can hold.
    """
    if len(metadata.exif) > LONGEST:
        raise ValueError(
            f"{len(metadata.exif)} bytes of EXIF do not fit in a JPEG file, which holds {LONGEST}; "
            "expected another format, such as png or tiff"
        )
    segments = [(_APP1, metadata.exif)] if metadata.exif else []
    segments += ((_APP1, content) for content in _xmp_segments(metadata.xmp))
    resources = metadata.iptc.removeprefix(PHOTOSHOP)
    room = LONGEST - len(PHOTOSHOP)
    for start in range(0, len(resources), room):
        segments.append((_APP13, PHOTOSHOP + resources[start : start + room]))
    markers = {b"COM": _COMMENT, b"APP1": _APP1}
    segments += [(markers[kind], content) for kind, content in metadata.parts if kind in markers]
    if not segments:
        return
    data = path.read_bytes()
    # JFIF's own segment wants to be first.
    place = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == _JFIF else 2
    with path.open("wb") as file:
        file.write(data[:place])
        for marker, content in segments:
            file.write(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content)
        file.write(memoryview(data)[place:])


def _segments(path: Path) -> Iterator[tuple[int, bytes]]:
    """Markers and contents, up to the pixels."""
    with path.open("rb") as file:
        file.seek(2)
        while len(head := file.read(4)) == 4:
            filler, marker, length = struct.unpack(">BBH", head)
            if filler != 0xFF or marker == _SCAN:
                break
            yield marker, file.read(max(0, length - 2))


def _xmp_segments(packet: bytes) -> list[bytes]:
    if not packet:
        return []
    if len(packet) <= LONGEST - len(_XMP):
        return [_XMP + packet]
    digest = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    segments = [_XMP + _ONLY_EXTENDED % digest]
    room = LONGEST - _EXTENSION_HEAD
    for start in range(0, len(packet), room):
        head = _EXTENDED_XMP + digest + struct.pack(">II", len(packet), start)
        segments.append(head + packet[start : start + room])
    return segments
