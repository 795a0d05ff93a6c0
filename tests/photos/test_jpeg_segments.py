"""Metadata of a JPEG file, also what is longer than a segment."""

import hashlib
import struct
from pathlib import Path

import pytest
from PIL import Image

from rave_mm.photos.metadata import Metadata, photoshop_resources
from rave_mm.photos.photo import LoadedPhoto
from rave_mm.photos.reading import open_photo
from rave_mm.photos.writing import write_photo
from tests.photos.pictures import exif, noise, written_again

EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"


def written(path: Path, **metadata: bytes) -> Path:
    write_photo(path, noise(), LoadedPhoto(noise(), metadata=Metadata(**metadata)))
    return path


@pytest.mark.parametrize("tags", [Image.Exif(), exif(6)], ids=["no EXIF", "EXIF"])
def test_comments_of_a_jpeg(tmp_path: Path, tags: Image.Exif) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(noise()).save(path, comment="first, h\u00e4user".encode(), exif=tags)
    content = path.read_bytes()
    at = content.index(b"\xff\xdb")  # the tables of quantisation
    second = b"\xff\xfe\0\x08second"
    path.write_bytes(content[:at] + second + content[at:])
    kept = written_again(path)
    with Image.open(kept) as image:
        comments = [data for kind, data in image.applist if kind == "COM"]
        assert comments == ["first, häuser".encode(), b"second"]
        kinds = [kind for kind, _ in image.applist]
        assert not tags or kinds.index("APP1") < kinds.index("COM")  # EXIF wants to be early


def test_xmp_of_a_jpeg_that_is_too_long_for_one_segment(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    main = b"<x:xmpmeta xmlns:x='adobe:ns:meta/' xmpNote:HasExtendedXMP='%s'/>" % (b"A" * 32)
    Image.fromarray(noise()).save(path, xmp=main)
    content = path.read_bytes()
    rest = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", 5, 0) + b"<a/> "
    segment = b"\xff\xe1" + struct.pack(">H", len(rest) + 2) + rest
    at = content.index(b"\xff\xdb")
    path.write_bytes(content[:at] + segment + content[at:])
    with Image.open(written_again(path)) as kept:
        assert kept.info["xmp"] == main
        assert ("APP1", rest) in kept.applist


def test_content_credentials_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(noise()).save(path)
    assert open_photo(path).notes == ()
    content, manifest = path.read_bytes(), b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa"
    segment = b"\xff\xeb" + struct.pack(">H", len(manifest) + 2) + manifest
    path.write_bytes(content[:2] + segment + content[2:])
    told = "has content credentials (C2PA), which do not hold for the result"
    assert open_photo(path).notes == (told,)
    assert manifest not in written_again(path).read_bytes()


@pytest.mark.parametrize("length", [60_000, 65_000, 65_504])
def test_xmp_that_fits_in_a_segment(tmp_path: Path, length: int) -> None:
    """libvips drops it without a word from about 60,000 bytes on."""
    packet = b"<x>" + b"a" * (length - 7) + b"</x>"
    with Image.open(written(tmp_path / "a.jpg", xmp=packet)) as image:
        assert image.info["xmp"] == packet


@pytest.mark.parametrize("length", [65_505, 200_000])
def test_longer_xmp_is_extended(tmp_path: Path, length: int) -> None:
    """As Adobe's specification has it, put together again here."""
    packet = b"<x>" + b"ab" * (length // 2) + b"</x>"
    path = written(tmp_path / "a.jpg", xmp=packet)
    for file in (path, written_again(path)):
        with Image.open(file) as image:
            standard = image.info["xmp"]
            pieces = [data for _, data in image.applist if data.startswith(EXTENSION)]
        digest = hashlib.md5(packet).hexdigest().upper().encode()
        assert b'xmpNote:HasExtendedXMP="%s"' % digest in standard
        found = bytearray(len(packet))
        for piece in pieces:
            named, whole, start = struct.unpack(">32sII", piece[len(EXTENSION) :][:40])
            assert (named, whole) == (digest, len(packet))
            content = piece[len(EXTENSION) + 40 :]
            found[start : start + len(content)] = content
        assert bytes(found) == packet


@pytest.mark.parametrize("length", [1, 65_000, 65_519, 200_001])
def test_resources_of_any_length(tmp_path: Path, length: int) -> None:
    """libvips drops those that are longer than a segment, without a word."""
    resources = photoshop_resources(b"", b"\x1c\x02" + b"a" * length)
    path = written(tmp_path / "a.jpg", iptc=resources, exif=exif(1).tobytes())
    for file in (path, written_again(path)):
        metadata = open_photo(file).load().metadata
        assert metadata.iptc == resources
        assert metadata.exif
    with Image.open(path) as image:
        assert image.info["photoshop"][0x0404][:3] == b"\x1c\x02a"
