"""Colours that a file declares in other words than a profile."""

import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from rave_mm.photos.colour import ColourSpace
from rave_mm.photos.declared_colour import code_points_of_heif
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.pillow_reader import register_heic
from rave_mm.photos.reading import open_photo, read_photo
from rave_mm.photos.writing import write_photo
from tests.photos.pictures import ADOBE_RGB, DISPLAY_P3, chunk, noise, red

BT709, BT2020, P3 = 1, 9, 12
SRGB, PQ, HLG = 13, 16, 18


def heif(path: Path, primaries: int, transfer: int) -> Path:
    """A flat red photo whose code points are set to these."""
    kind = "AVIF" if path.suffix == ".avif" else "HEIF"
    if kind == "HEIF":
        register_heic()
    Image.fromarray(red()).save(path, kind, quality=90)
    data = bytearray(path.read_bytes())
    at = data.index(b"nclx") + 4
    data[at : at + 4] = struct.pack(">HH", primaries, transfer)
    path.write_bytes(data)
    return path


def png(path: Path, values: np.ndarray, *chunks: bytes, **options: bytes) -> Path:
    """A PNG file with chunks of its own behind the header."""
    Image.fromarray(values).save(path, **options)
    data = path.read_bytes()
    path.write_bytes(data[:33] + b"".join(chunks) + data[33:])
    return path


def cicp(primaries: int, transfer: int) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


def gamma(encoding: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", encoding))


def chromaticities(*points: int) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *points))


CHRM_SRGB = chromaticities(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
CHRM_P3 = chromaticities(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.parametrize("suffix", [".avif", ".heic", ".hif"])
def test_display_p3_by_code_points(tmp_path: Path, suffix: str) -> None:
    photo = open_photo(heif(tmp_path / f"a{suffix}", P3, SRGB))
    values, _ = photo.pixels()
    wanted = ColourSpace(DISPLAY_P3).to_srgb(values)
    np.testing.assert_allclose(photo.colour.to_srgb(values), wanted, atol=0.02)
    assert wanted[..., 0].min() > values[..., 0].max() / 255 + 0.03  # it is a redder red
    assert not photo.notes


def test_a_result_keeps_them_as_a_profile(tmp_path: Path) -> None:
    photo = open_photo(heif(tmp_path / "a.avif", P3, SRGB)).load()
    for suffix in (".avif", ".png", ".jpg"):
        write_photo(tmp_path / f"result{suffix}", photo.values, photo)
        np.testing.assert_allclose(
            read_photo(tmp_path / f"result{suffix}").astype(int),
            read_photo(tmp_path / "a.avif").astype(int),
            atol=4,
        )


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_hdr_is_refused(tmp_path: Path, suffix: str, transfer: int, name: str) -> None:
    with pytest.raises(UnreadablePhotoError, match=rf"got an HDR picture \({name}\); expected SDR"):
        open_photo(heif(tmp_path / f"a{suffix}", BT2020, transfer))


@pytest.mark.parametrize("primaries", [1, 2])
@pytest.mark.parametrize("transfer", [1, 2, 6, 13, 14, 15])
def test_what_is_shown_as_srgb_stays_as_it_is(
    tmp_path: Path, primaries: int, transfer: int
) -> None:
    photo = open_photo(heif(tmp_path / "a.avif", primaries, transfer))
    assert photo.colour.is_srgb
    assert photo.load().metadata.icc_profile == b""
    assert photo.notes == ()


def test_unknown_code_points_are_told(tmp_path: Path) -> None:
    photo = open_photo(heif(tmp_path / "a.avif", 10, SRGB))
    assert photo.colour.is_srgb
    told = "declares colours that are not used: primaries 10 and transfer 13 of ITU-T H.273"
    assert photo.notes == (told,)


def box(kind: bytes, data: bytes, long: bool = False) -> bytes:
    if long:
        return struct.pack(">I4sQ", 1, kind, len(data) + 16) + data
    return struct.pack(">I4s", len(data) + 8, kind) + data


@pytest.mark.parametrize("wide", [False, True])
def test_code_points_are_those_of_the_picture_and_not_of_its_thumbnail(
    tmp_path: Path, wide: bool
) -> None:
    """With the short and the long form of each field (ISO/IEC 14496-12 and 23008-12)."""
    item, number = ("I", "H") if wide else ("H", "B")
    properties = box(
        b"ipco",
        box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 128))
        + box(b"ispe", bytes(12))
        + box(b"colr", b"prof" + bytes(8))
        + box(b"colr", b"nclx" + struct.pack(">HHHB", 12, 13, 6, 128)),
    )
    associations = struct.pack(f">BxxBI{item}B{number}", wide, wide, 2, 1, 1, 1)
    high = 0x8000 if wide else 0x80  # "essential"
    associations += struct.pack(f">{item}B3{number}", 7, 3, high | 2, 3, high | 4)
    meta = bytes(4) + box(b"pitm", struct.pack(f">B3x{item}", wide, 7))
    meta += box(b"iprp", properties + box(b"ipma", associations), long=wide)
    path = tmp_path / "a.avif"
    path.write_bytes(
        box(b"ftyp", b"avif" + bytes(4)) + box(b"free", b"", wide) + box(b"meta", meta)
    )
    assert code_points_of_heif(path) == (12, 13)


def test_no_code_points(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    pyvips.Image.new_from_array(red()).heifsave(str(path), compression="av1")
    assert code_points_of_heif(path) is None
    path.write_bytes(box(b"ftyp", b"avif" + bytes(4)))
    with pytest.raises(LookupError, match="meta"):
        code_points_of_heif(path)


@pytest.mark.parametrize(
    ("chunks", "options", "wanted"),
    [
        ([cicp(P3, SRGB)], {}, DISPLAY_P3),
        ([cicp(P3, SRGB)], {"icc_profile": ADOBE_RGB}, DISPLAY_P3),
        ([gamma(45455), CHRM_P3], {}, DISPLAY_P3),
        ([gamma(45455), CHRM_P3], {"icc_profile": ADOBE_RGB}, ADOBE_RGB),
    ],
    ids=["cICP", "cICP before a profile", "cHRM", "a profile before cHRM"],
)
def test_png(tmp_path: Path, chunks: list[bytes], options: dict[str, bytes], wanted: bytes) -> None:
    values = noise()
    photo = open_photo(png(tmp_path / "a.png", values, *chunks, **options))
    found = photo.colour.to_srgb(values)
    np.testing.assert_allclose(found, ColourSpace(wanted).to_srgb(values), atol=0.03)
    assert np.abs(found - values / 255).max() > 0.1


@pytest.mark.parametrize("channels", [1, 3])
def test_linear_png(tmp_path: Path, channels: int) -> None:
    values = np.full((4, 5, channels), 100, np.uint8)
    path = png(tmp_path / "a.png", values.squeeze(), gamma(100_000))
    # 100 / 255 of the light, as sRGB encodes it.
    assert np.abs(read_photo(path).astype(int) - round(255 * 0.6615)).max() <= 2


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(45455)],
        [gamma(45455), CHRM_SRGB],
        [chunk(b"sRGB", b"\0"), gamma(100_000), CHRM_P3],
        [cicp(BT709, SRGB)],
        [gamma(0)],
    ],
    ids=["gAMA", "gAMA and cHRM", "sRGB before both", "cICP", "gAMA of nothing"],
)
def test_png_in_srgb_has_no_profile(tmp_path: Path, chunks: list[bytes]) -> None:
    photo = open_photo(png(tmp_path / "a.png", noise(), *chunks))
    assert photo.load().metadata.icc_profile == b""
    assert photo.notes == ()


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([chromaticities(*[0] * 8)], "colours that are not used: a primary colour without lum"),
        ([chunk(b"cICP", b"\x0c")], "what it declares of its colours is damaged, and not used"),
        ([gamma(1)], "what it declares of its colours is damaged, and not used"),
        ([chunk(b"cHRM", bytes(12))], "what it declares of its colours is damaged, and not used"),
    ],
)
def test_png_that_declares_nonsense(tmp_path: Path, chunks: list[bytes], told: str) -> None:
    values = noise()
    photo = open_photo(png(tmp_path / "a.png", values, *chunks))
    assert told in " ".join(photo.notes)
    np.testing.assert_array_equal(photo.pixels()[0], values)
    assert photo.colour.is_srgb


def test_png_in_hdr_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match="got an HDR picture"):
        open_photo(png(tmp_path / "a.png", noise(), cicp(BT2020, PQ)))


@pytest.mark.parametrize(
    ("colour_space", "index", "adobe"),
    [(0xFFFF, "R03", True), (0xFFFF, "R98", False), (1, "R03", False)],
)
def test_jpeg_of_a_camera_that_is_set_to_adobe_rgb(
    tmp_path: Path, colour_space: int, index: str, adobe: bool
) -> None:
    tags = Image.Exif()
    tags[0x8769] = {0xA001: colour_space, 0xA005: {1: index}}
    Image.fromarray(red()).save(tmp_path / "a.jpg", quality=95, exif=tags)
    photo = open_photo(tmp_path / "a.jpg")
    assert photo.colour.is_srgb is not adobe
    values, _ = photo.pixels()
    wanted = ColourSpace(ADOBE_RGB if adobe else b"").to_srgb(values)
    np.testing.assert_allclose(photo.colour.to_srgb(values), wanted, atol=1e-6)
    assert bool(photo.load().metadata.icc_profile) is adobe


def test_damaged_exif_is_told(tmp_path: Path) -> None:
    Image.fromarray(red()).save(tmp_path / "a.jpg", exif=b"Exif\0\0XX R03")
    photo = open_photo(tmp_path / "a.jpg")
    assert photo.notes == ("what it declares of its colours is damaged, and not used",)
    assert photo.colour.is_srgb


def test_an_embedded_profile_comes_before_exif(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    Image.fromarray(red()).save(tmp_path / "a.jpg", exif=tags, icc_profile=DISPLAY_P3)
    assert open_photo(tmp_path / "a.jpg").colour.icc_profile == DISPLAY_P3
