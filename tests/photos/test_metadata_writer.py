"""What is put into a finished file: comments here, EXIF and XMP in test_writing."""

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rave_mm.photos.reading import open_photo
from rave_mm.photos.writing import write_photo
from tests.photos.pictures import chunk, exif, noise


def result(path: Path, suffix: str = "") -> Path:
    """The photo written once more, with all that is kept of it."""
    photo = open_photo(path).load()
    target = path.with_name(f"result{suffix or path.suffix}")
    write_photo(target, photo.values, photo)
    return target


def png_with_texts(path: Path) -> Path:
    texts = PngInfo()
    texts.add_text("Title", "A house")
    texts.add_text("parameters", "steps: 20, " * 50, zip=True)
    texts.add_itxt("Comment", "h\u00e4user", lang="de", tkey="Kommentar")
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    Image.fromarray(noise()).save(path, pnginfo=texts, exif=exif(6))
    return path


def test_texts_of_a_png(tmp_path: Path) -> None:
    before = png_with_texts(tmp_path / "a.png")
    with Image.open(before) as source, Image.open(result(before)) as kept:
        assert list(kept.text) == list(source.text)
        assert kept.text == source.text
        assert kept.text["Comment"].lang == "de"
        assert kept.getexif()[0x0112] == 1


def test_exif_as_text_becomes_exif_and_does_not_stay(tmp_path: Path) -> None:
    """It would say another orientation than the picture has."""
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path, exif=exif(1))
    data = exif(6).tobytes()
    text = b"Raw profile type exif\0\nexif\n%8d\n" % len(data) + data.hex().encode() + b"\n"
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk(b"tEXt", text) + content[33:])
    with Image.open(result(path)) as kept:
        assert kept.text == {}
        assert kept.getexif()[0x0112] == 1


@pytest.mark.parametrize("tags", [Image.Exif(), exif(6)], ids=["no EXIF", "EXIF"])
def test_comments_of_a_jpeg(tmp_path: Path, tags: Image.Exif) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(noise()).save(path, comment="first, h\u00e4user".encode(), exif=tags)
    content = path.read_bytes()
    at = content.index(b"\xff\xdb")  # the tables of quantisation
    second = b"\xff\xfe\0\x08second"
    path.write_bytes(content[:at] + second + content[at:])
    kept = result(path)
    with Image.open(kept) as image:
        comments = [data for kind, data in image.applist if kind == "COM"]
        assert comments == ["first, häuser".encode(), b"second"]
        kinds = [kind for kind, _ in image.applist]
        assert not tags or kinds.index("APP1") < kinds.index("COM")  # EXIF wants to be early


def test_comments_stay_in_their_format(tmp_path: Path) -> None:
    jpeg = tmp_path / "a.jpg"
    Image.fromarray(noise()).save(jpeg, comment=b"mine")
    with Image.open(result(jpeg, ".png")) as kept:
        assert kept.text == {}
    with Image.open(result(png_with_texts(tmp_path / "a.png"), ".jpg")) as kept:
        assert "comment" not in kept.info
