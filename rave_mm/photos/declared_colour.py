"""What files without a colour profile say of their colours, as a profile.

AVIF and HEIC have code points (ITU-T H.273, "CICP") in a box called nclx, PNG has a chunk of them,
or of a gamma and of primaries, and cameras that are set to Adobe RGB note that in EXIF. libvips and
Pillow read none of these.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.formats import AVIF, HEIC, JPEG, PNG, Format
from rave_mm.photos.icc_profile import BT709, Primaries, icc_profile
from rave_mm.photos.metadata import (
    DAMAGED,
    EXIF_TAGS,
    INTEROPERABILITY,
    directory_of,
    parse_exif,
)
from rave_mm.photos.png_chunks import read_chunks

# H.273, table 2, those of RGB on displays.
_PRIMARIES = {
    1: ("BT.709", BT709),
    2: ("BT.709", BT709),  # nothing is said
    5: ("BT.601 (625)", Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06))),
    6: ("BT.601 (525)", Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))),
    9: ("BT.2020", Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
# H.273, table 3. Those of video are shown as sRGB.
_GAMMAS = {1: None, 2: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}
_HDR = {16: "PQ", 18: "HLG"}
_ADOBE_RGB = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_ADOBE_GAMMA = 563 / 256
_COLOUR_SPACE, _SRGB = 0xA001, 1
_INDEX, _ADOBE_INDEX = 1, "R03"
_SRGB_GAMMA, _NEAR = 1 / 2.2, 0.005
_LARGEST = 2**24


class _HDRError(Exception):
    """Values that say nothing without the brightness of a display."""


def declared_profile(
    path: Path, kind: Format, channels: int, embedded: bytes = b"", exif: bytes = b""
) -> tuple[bytes, tuple[str, ...]]:
    """The ICC profile of a file's colours.

    Args:
        path: The file.
        kind: Its format.
        channels: 1 for gray, 3 for RGB, 4 for CMYK.
        embedded: The profile that it holds; empty if none.
        exif: Its EXIF, as a JPEG file has it.

    Returns:
        The profile, empty for sRGB and where nothing is declared; and what of the declaration
        cannot be used, in words.

    Raises:
        UnreadablePhotoError: It is an HDR picture.
    """
    try:
        if kind is PNG:
            return profile_of_png(path, embedded, channels), ()
        if embedded or channels == 4:
            return embedded, ()
        if kind in (AVIF, HEIC):
            points = code_points_of_heif(path)
            return profile_of_code_points(*points, channels) if points else b"", ()
        return profile_of_exif(exif) if kind is JPEG else b"", ()
    except _HDRError as error:
        raise UnreadablePhotoError(path, str(error)) from error
    except ValueError as error:
        return embedded, (f"declares colours that are not used: {error}",)
    except DAMAGED:
        return embedded, ("what it declares of its colours is damaged, and not used",)


def profile_of_code_points(primaries: int, transfer: int, channels: int = 3) -> bytes:
    """The ICC profile of code points of H.273; empty for sRGB.

    Args:
        primaries: "ColourPrimaries".
        transfer: "TransferCharacteristics".
        channels: 1 for gray, 3 for RGB.

    Raises:
        _HDRError: PQ or HLG.
        ValueError: Colours that no profile here stands for.
    """
    if transfer in _HDR:
        raise _HDRError(
            f"got an HDR picture ({_HDR[transfer]}); expected SDR: export it so from the camera or "
            "another program"
        )
    if primaries not in _PRIMARIES or transfer not in _GAMMAS:
        raise ValueError(f"primaries {primaries} and transfer {transfer} of ITU-T H.273")
    name, colours = _PRIMARIES[primaries]
    gamma = _GAMMAS[transfer]
    return _profile_unless_srgb(name, colours, gamma, channels)


def code_points_of_heif(path: Path) -> tuple[int, int] | None:
    """Primaries and transfer that an AVIF or HEIC file states for its picture; None if none.

    Raises:
        LookupError, struct.error: Its boxes are damaged.
        OSError: It cannot be read.
    """
    meta = _meta_box(path)
    primary = None
    properties: list[tuple[bytes, bytes]] = []
    associations: list[tuple[int, int]] = []
    for kind, box in _boxes(meta[4:]):
        if kind == b"pitm":
            primary = int.from_bytes(box[4:8] if box[0] else box[4:6], "big")
        elif kind == b"iprp":
            for inner_kind, inner in _boxes(box):
                if inner_kind == b"ipco":
                    properties = list(_boxes(inner))
                elif inner_kind == b"ipma":
                    associations += _associations(inner)
    for item, number in associations:
        if item == primary and number > 0:
            kind, box = properties[number - 1]
            if kind == b"colr" and box[:4] == b"nclx":
                return struct.unpack(">HH", box[4:8])
    return None


def profile_of_png(path: Path, embedded: bytes, channels: int) -> bytes:
    """The ICC profile of a PNG file's colours, by the order of precedence of its standard.

    Args:
        path: The file.
        embedded: The profile that it holds; empty if none.
        channels: 1 for gray, 3 for RGB.

    Returns:
        Of its code points, else what it holds, else of its gamma and primaries unless it says that
        it is sRGB; empty for sRGB.

    Raises:
        _HDRError, ValueError: As :func:`profile_of_code_points`, or primaries that span no colours.
        struct.error: A chunk is too short.
        OSError: It cannot be read.
    """
    kinds = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
    chunks = dict(read_chunks(path, kinds, before_pixels=True))
    if b"cICP" in chunks:
        primaries, transfer = struct.unpack(">BB", chunks[b"cICP"][:2])
        return profile_of_code_points(primaries, transfer, channels)
    if embedded or b"sRGB" in chunks or not chunks:
        return embedded
    gamma, colours = None, BT709
    if b"gAMA" in chunks:
        (encoding,) = struct.unpack(">I", chunks[b"gAMA"])
        if encoding and abs(encoding / 100_000 - _SRGB_GAMMA) > _NEAR:
            gamma = 100_000 / encoding
    if b"cHRM" in chunks:
        x_and_y = [part / 100_000 for part in struct.unpack(">8I", chunks[b"cHRM"])]
        white, red, green, blue = zip(x_and_y[::2], x_and_y[1::2], strict=True)
        colours = Primaries(red, green, blue, white)
    return _profile_unless_srgb("as a PNG file declared", colours, gamma, channels)


def profile_of_exif(exif: bytes) -> bytes:
    """The ICC profile of Adobe RGB, if EXIF says so in the words of DCF 2.0; else empty."""
    if _ADOBE_INDEX.encode() not in exif:
        return b""
    tags = parse_exif(exif)
    inner = directory_of(tags, EXIF_TAGS) if EXIF_TAGS in tags else {}
    index = inner.get(INTEROPERABILITY, {}).get(_INDEX, "")
    if inner.get(_COLOUR_SPACE) == _SRGB or not str(index).startswith(_ADOBE_INDEX):
        return b""
    return icc_profile("compatible with Adobe RGB (1998)", _ADOBE_RGB, _ADOBE_GAMMA)


def _profile_unless_srgb(
    name: str, colours: Primaries, gamma: float | None, channels: int
) -> bytes:
    if gamma is None and (channels == 1 or colours.are_near(BT709)):
        return b""
    return icc_profile(
        name if gamma is None else f"{name}, gamma {gamma:.3g}", colours, gamma, channels
    )


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of ISO/IEC 14496-12 that stand one behind the other, by kind and content."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        length = length or len(data) - at
        yield kind, data[at + head : at + length]
        at += max(length, head)


def _meta_box(path: Path) -> bytes:
    with path.open("rb") as file:
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if length == 1:
                length = int.from_bytes(file.read(8), "big") - 8
            if kind == b"meta":
                return file.read(_LARGEST if length == 0 else min(max(length - 8, 0), _LARGEST))
            if length < 8:
                break
            file.seek(length - 8, 1)
    raise LookupError("no box of the kind meta")


def _associations(box: bytes) -> Iterator[tuple[int, int]]:
    """Each item and the number, from 1, of each of its properties (ISO/IEC 23008-12, ipma)."""
    wide_items, wide_numbers = box[0] >= 1, box[3] & 1
    (entries,) = struct.unpack(">I", box[4:8])
    at = 8
    for _ in range(entries):
        item, count = struct.unpack_from(">IB" if wide_items else ">HB", box, at)
        at += 5 if wide_items else 3
        numbers = struct.unpack_from(f">{count}{'H' if wide_numbers else 'B'}", box, at)
        at += count * (2 if wide_numbers else 1)
        for number in numbers:
            yield item, number & (0x7FFF if wide_numbers else 0x7F)
