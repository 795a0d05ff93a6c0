"""Texts of a PNG file are put into its result; EXIF and XMP are tested in test_writing."""

from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.photos.pictures import chunk, exif, noise, written_again


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
    with Image.open(before) as source, Image.open(written_again(before)) as kept:
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
    with Image.open(written_again(path)) as kept:
        assert kept.text == {}
        assert kept.getexif()[0x0112] == 1


def test_comments_stay_in_their_format(tmp_path: Path) -> None:
    jpeg = tmp_path / "a.jpg"
    Image.fromarray(noise()).save(jpeg, comment=b"mine")
    with Image.open(written_again(jpeg, ".png")) as kept:
        assert kept.text == {}
    with Image.open(written_again(png_with_texts(tmp_path / "a.png"), ".jpg")) as kept:
        assert "comment" not in kept.info
