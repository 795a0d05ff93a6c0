"""What a photograph's file holds beside its pixels, read and made fit for the result.

A result is upright, so EXIF and XMP say an orientation of 1 where they said another. It is one
picture, so XMP does not announce the video or the gain map that phones append. EXIF's thumbnail,
which would show the photograph as it was, is left out, and so are a TIFF's tags about how its
pixels are stored.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rave_mm.photos.errors import UnreadablePhotoError

PICTURE_NOT_KEPT = "has a second picture, such as a gain map, which is not kept"
VIDEO_NOT_KEPT = "has a video (a motion photo), which is not kept"
ORIENTATION = 0x0112
EXIF_TAGS, GPS_TAGS = 0x8769, 0x8825
INTEROPERABILITY = 0xA005
_WIDTH_AND_HEIGHT = (0xA002, 0xA003)
# Tags of a TIFF that tell where and how its pixels are stored, and those kept on their own.
_LAYOUT_TAGS = frozenset(
    [*range(254, 267), 273, *range(277, 282), *range(284, 290), 292, 293, 297, 301, 317]
    + [*range(318, 348), *range(512, 533), 700, 33723, 34377, 34675, *range(50706, 51150)]
)
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation\s*(?:=\s*["\']|>)\s*)[2-8]')
_XMP_VIDEO = re.compile(rb'(Camera:(?:MotionPhoto|MicroVideo)\s*(?:=\s*["\']|>)\s*)1')
_XMP_GAIN_MAP = re.compile(rb'\s+hdrgm:Version\s*=\s*(?:"[^"]*"|\'[^\']*\')')
PHOTOSHOP = b"Photoshop 3.0\0"
_PHOTOSHOP_THUMBNAILS = (b"\x04\x09", b"\x04\x0c")
# What Pillow and the lines below raise for tags that are not what they say they are.
DAMAGED = (
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    OSError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Metadata:
    """What is kept of a photograph's file beside its pixels; empty where there is none.

    Attributes:
        exif: EXIF, as a JPEG file has it, with ``Exif\\0\\0`` in front.
        icc_profile: Colour profile.
        xmp: XMP packet.
        iptc: Photoshop's resources, IPTC among them, as a JPEG file has them, with
            ``Photoshop 3.0\\0`` in front.
        dpi: Pixels per inch, across and down.
        parts: Parts of the file that go into a file of the same format as they are, by kind: texts
            of a PNG file (tEXt, zTXt, iTXt), comments and extended XMP of a JPEG file (COM, APP1).
    """

    exif: bytes = b""
    icc_profile: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    dpi: tuple[float, float] | None = None
    parts: tuple[tuple[bytes, bytes], ...] = ()


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Refuse a photograph whose metadata cannot be read or kept.

    Raises:
        UnreadablePhotoError: Names it.
    """
    try:
        yield
    except DAMAGED as error:
        raise UnreadablePhotoError(path, f"its metadata are damaged: {error}") from error


def parse_exif(data: bytes) -> Image.Exif:
    """EXIF as a JPEG file has it, with or without ``Exif\\0\\0``, as tags."""
    tags = Image.Exif()
    if data:
        tags.load(data)
    return tags


def tiff_tags(path: Path) -> Image.Exif:
    """The tags of a TIFF or BigTIFF file, and of a RAW file that is built like one; else none."""
    tags = Image.Exif()
    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return tags
        head = head if b"+" in head[:4] else head[:8]
        for tag, value in _directory(file, head).items():
            tags[tag] = value
        for place in (EXIF_TAGS, GPS_TAGS):
            if place in tags:
                tags[place] = inner = _directory(file, head, tags[place])
                if INTEROPERABILITY in inner:
                    inner[INTEROPERABILITY] = _directory(file, head, inner[INTEROPERABILITY])
    return tags


def _directory(file: BinaryIO, head: bytes, start: int | None = None) -> dict[int, Any]:
    directory = ImageFileDirectory_v2(head)
    file.seek(directory.next if start is None else start)
    directory.load(file)
    return dict(directory)


def directory_of(tags: Image.Exif, place: int) -> dict[int, Any]:
    """The tags of the directory that stands at a tag, with the directory inside it, if any."""
    directory = tags[place] if isinstance(tags.get(place), dict) else tags.get_ifd(place)
    directory = dict(directory)
    if INTEROPERABILITY in directory:
        inner = directory.pop(INTEROPERABILITY)
        inner = inner if isinstance(inner, dict) else tags.get_ifd(INTEROPERABILITY)
        if inner:
            directory[INTEROPERABILITY] = inner
    return directory


def upright_exif(tags: Image.Exif, height: int, width: int) -> bytes:
    """EXIF for a photograph that was turned upright.

    Args:
        tags: As they were.
        height: Of the photograph, upright.
        width: Likewise.

    Returns:
        What is left of it, as for :class:`Metadata`; empty if nothing is.
    """
    kept = Image.Exif()
    for tag, value in tags.items():
        if tag not in _LAYOUT_TAGS:
            kept[tag] = directory_of(tags, tag) if tag in (EXIF_TAGS, GPS_TAGS) else value
    if not kept:
        return b""
    if ORIENTATION in kept:
        kept[ORIENTATION] = 1
    inner = kept.get(EXIF_TAGS)
    if isinstance(inner, dict):
        for tag, size in zip(_WIDTH_AND_HEIGHT, (width, height), strict=True):
            if tag in inner:
                inner[tag] = size
    return kept.tobytes()


def xmp_of_result(packet: bytes | str) -> bytes:
    """An XMP packet for a photograph that was turned upright, and is one picture."""
    data = _as_bytes(packet)
    for pattern, becomes in (
        (_XMP_ORIENTATION, rb"\g<1>1"),
        (_XMP_VIDEO, rb"\g<1>0"),
        (_XMP_GAIN_MAP, b""),
    ):
        data = pattern.sub(becomes, data)
    return data


def announced_by_xmp(packet: bytes | str) -> list[str]:
    """What XMP says that the file holds beside its picture, in words of what is not kept."""
    data = _as_bytes(packet)
    found = [(_XMP_VIDEO, VIDEO_NOT_KEPT), (_XMP_GAIN_MAP, PICTURE_NOT_KEPT)]
    return [told for pattern, told in found if pattern.search(data)]


def _as_bytes(packet: bytes | str) -> bytes:
    return packet.encode() if isinstance(packet, str) else packet


def photoshop_resources(resources: bytes, iptc: bytes = b"") -> bytes:
    """Photoshop's resources, which hold IPTC, without the thumbnails that are among them.

    Args:
        resources: With ``Photoshop 3.0\\0`` in front, as in a JPEG file, or without.
        iptc: IPTC records by themselves, as a TIFF file may have them, in place of resources.

    Returns:
        As for :class:`Metadata`; empty if there is nothing.
    """
    if iptc and not resources:
        resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc
    kept, at = b"", len(PHOTOSHOP) if resources.startswith(PHOTOSHOP) else 0
    while resources[at : at + 4] == b"8BIM" and len(resources) >= at + 12:
        name = resources[at + 6] + 1  # a length and so many letters, made even
        start = at + 6 + name + name % 2
        length = int.from_bytes(resources[start : start + 4], "big")
        end = start + 4 + length + length % 2
        if resources[at + 4 : at + 6] not in _PHOTOSHOP_THUMBNAILS:
            kept += resources[at:end]
        at = end
    return PHOTOSHOP + kept if kept else b""
