"""The segments of a JPEG file that hold metadata: libvips drops what is longer than one of them.

A segment holds 65533 bytes. What is longer is spread over several: XMP as Adobe's XMP specification
(part 3, 1.1.3.1) says, Photoshop's resources one piece behind the other.
"""

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from rave_mm.photos.metadata import PHOTOSHOP, PICTURE_NOT_KEPT, Metadata

Segment: TypeAlias = tuple[int, bytes]
"""Its marker and its content."""

LONGEST = 65533
_SCAN, _COMMENT = 0xDA, 0xFE  # markers
_APP1, _APP2, _APP11, _APP13 = 0xE1, 0xE2, 0xEB, 0xED
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENSION_HEAD = len(_EXTENDED_XMP) + 32 + 8
_ONLY_EXTENDED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
    b'xmpNote:HasExtendedXMP="%s"/></rdf:RDF></x:xmpmeta>'
)


def read_segments(path: Path) -> list[Segment]:
    """The segments of a JPEG file, up to its pixels."""
    segments = []
    with path.open("rb") as file:
        file.seek(2)
        while len(head := file.read(4)) == 4:
            filler, marker, length = struct.unpack(">BBH", head)
            if filler != 0xFF or marker == _SCAN:
                break
            segments.append((marker, file.read(max(0, length - 2))))
    return segments


def photoshop_of(segments: Sequence[Segment]) -> bytes:
    """Photoshop's resources, with ``Photoshop 3.0\\0`` in front; empty if there are none."""
    pieces = [
        content.removeprefix(PHOTOSHOP)
        for marker, content in segments
        if marker == _APP13 and content.startswith(PHOTOSHOP)
    ]
    return PHOTOSHOP + b"".join(pieces) if pieces else b""


def parts_of(segments: Sequence[Segment]) -> tuple[tuple[bytes, bytes], ...]:
    """Comments and extended XMP, as :class:`Metadata` has them."""
    parts = []
    for marker, content in segments:
        if marker == _COMMENT:
            parts.append((b"COM", content))
        elif marker == _APP1 and content.startswith(_EXTENDED_XMP):
            parts.append((b"APP1", content))
    return tuple(parts)


def announced_by(segments: Sequence[Segment]) -> list[str]:
    """What segments say that the file holds beside its picture, in words of what is not kept."""
    announced = []
    if any(marker == _APP2 and content.startswith(b"MPF\0") for marker, content in segments):
        announced.append(PICTURE_NOT_KEPT)
    if any(marker == _APP11 and b"c2pa" in content for marker, content in segments):
        announced.append("has content credentials (C2PA), which do not hold for the result")
    return announced


def packed_segments(metadata: Metadata) -> bytes:
    """EXIF, XMP, Photoshop's resources and parts of a JPEG file, as they stand in one.

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
    return b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
    )


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
