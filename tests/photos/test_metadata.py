"""What stands beside a photograph's pixels, in the forms that programs write it in."""

import struct
from pathlib import Path

import pytest
from PIL import Image

from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.metadata import (
    Metadata,
    announced_by_xmp,
    photoshop_resources,
    xmp_of_result,
)
from rave_mm.photos.reading import open_photo
from tests.photos.pictures import chunk, noise

HEAD = b"Photoshop 3.0\0"


def resource(number: int, data: bytes, name: bytes = b"") -> bytes:
    named = bytes([len(name)]) + name
    named += bytes(len(named) % 2)
    head = b"8BIM" + struct.pack(">H", number) + named + struct.pack(">I", len(data))
    return head + data + bytes(len(data) % 2)


def test_photoshops_thumbnails_are_left_out() -> None:
    iptc, url = resource(0x0404, b"\x1c\x02x\0\x03abc"), resource(0x040B, b"https://a", b"name")
    thumbnail = resource(0x040C, b"an odd picture")
    for head in (HEAD, b""):
        kept = photoshop_resources(head + iptc + thumbnail + url)
        assert kept == HEAD + iptc + url
    assert photoshop_resources(HEAD + thumbnail) == b""
    assert photoshop_resources(b"") == b""


def test_iptc_by_itself_becomes_a_resource() -> None:
    assert photoshop_resources(b"", b"\x1c\x02x") == HEAD + resource(0x0404, b"\x1c\x02x")[:-1]


def test_damaged_resources_end_where_they_are_damaged() -> None:
    iptc = resource(0x0404, b"ab")
    assert photoshop_resources(HEAD + iptc + b"8BIM\x04") == HEAD + iptc


def test_xmp_says_upright_in_both_of_its_forms() -> None:
    for before, after in (
        (b'<a tiff:Orientation="8"/>', b'<a tiff:Orientation="1"/>'),
        (b"<tiff:Orientation>3</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
    ):
        assert xmp_of_result(before) == after
        assert xmp_of_result(before.decode()) == after


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b'<a GCamera:MotionPhoto="1"/>', b'<a GCamera:MotionPhoto="0"/>', "has a video"),
        (b"<a GCamera:MicroVideo = '1'/>", b"<a GCamera:MicroVideo = '0'/>", "has a video"),
        (
            b"<Camera:MotionPhoto>1</Camera:MotionPhoto>",
            b"<Camera:MotionPhoto>0</Camera:MotionPhoto>",
            "has a video",
        ),
        (b'<a hdrgm:Version="1.0" b="c"/>', b'<a b="c"/>', "has a second picture"),
    ],
)
def test_xmp_of_phones_announces_nothing_that_is_gone(
    before: bytes, after: bytes, told: str
) -> None:
    assert xmp_of_result(before) == after
    assert [note[: len(told)] for note in announced_by_xmp(before)] == [told]
    assert announced_by_xmp(after) == []


def test_xmp_that_announces_nothing_stays_as_it_is() -> None:
    packet = b'<a GCamera:MotionPhoto="0" GCamera:MotionPhotoVersion="1" hdrgm:GainMapMax="1"/>'
    assert xmp_of_result(packet) == packet
    assert announced_by_xmp(packet) == []


def test_nothing_is_nothing() -> None:
    assert Metadata() == Metadata(b"", b"", b"", b"", None, ())


def test_text_of_a_png_that_ends_too_early(tmp_path: Path) -> None:
    """Found by fuzzing."""
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path)
    content = path.read_bytes()
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0en")
    path.write_bytes(content[:33] + text + content[33:])
    with pytest.raises(UnreadablePhotoError, match="its metadata are damaged"):
        open_photo(path).load()


def test_a_tag_of_another_type_than_it_has_by_rights(tmp_path: Path) -> None:
    """Found by fuzzing: a maker's name of rational numbers."""
    path = tmp_path / "a.tif"
    Image.fromarray(noise()).save(path, tiffinfo={271: "Made by me, well"})
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<HHI", 271, 2, 17))
    content[at : at + 8] = struct.pack("<HHI", 271, 5, 2)
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadablePhotoError, match="its metadata are damaged"):
        open_photo(path).load()
