"""Profiles of a matrix and three curves, beside what Little CMS and the ICC's formulas say."""

import struct

import numpy as np
import pytest
import pyvips

from rave_mm.photos.colour import ColourSpace
from rave_mm.photos.icc_profile import BT709, Primaries, icc_profile
from rave_mm.photos.matrix_profile import ParametricCurve, SampledCurve, read_matrix_profile
from tests.photos.pictures import ADOBE_RGB, DISPLAY_P3, linear, noise

D50 = (0.3457, 0.3585)
PROPHOTO = icc_profile(
    "p", Primaries((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50), 1.8
)


def with_curve(curve: bytes) -> bytes:
    """A profile with another curve, for all channels."""
    profile = icc_profile("mine", Primaries((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), 2.0)
    start = len(profile) + len(profile) % 4
    changed = bytearray(profile.ljust(start, b"\0") + curve)
    (count,) = struct.unpack_from(">I", changed, 128)
    for index in range(count):
        at = 132 + 12 * index
        if changed[at + 1 : at + 4] == b"TRC":
            struct.pack_into(">II", changed, at + 4, start, len(curve))
    struct.pack_into(">I", changed, 0, len(changed))
    return bytes(changed)


def parametric(kind: int, *numbers: float) -> bytes:
    fixed = (round(number * 65536) for number in numbers)
    return b"para\0\0\0\0" + struct.pack(f">HH{len(numbers)}i", kind, 0, *fixed)


def sampled(*points: int) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(f">I{len(points)}H", len(points), *points)


CURVES = [
    parametric(0, 1.8),
    parametric(1, 2.2, 1.2, -0.2),
    parametric(2, 2.2, 1.17696, -0.2, 0.05),
    parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    parametric(4, 2.2, 0.94544, 0.05, 0.242, 0.1, 0.01, 0.0),
    sampled(),
    sampled(round(2.2 * 256)),
    sampled(0, 5_000, 20_000, 40_000, 65_535),
]
NAMES = ["power", "offset", "level", "sRGB", "seven", "linear", "gamma", "sampled"]


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_little_cms_says_the_same(curve: bytes, dtype: type) -> None:
    """In linear light, of colours that sRGB can show: it rounds others, and what is dark."""
    space, values = ColourSpace(with_curve(curve)), noise(40, 50, dtype)
    found = space.to_srgb(values)
    assert space._matrix is not None
    wanted = space.to_srgb_by_little_cms(values)
    within = ((wanted >= 0) & (wanted <= 1)).all(-1)
    assert within.sum() > 100
    np.testing.assert_allclose(linear(found[within]), linear(wanted[within]), atol=5e-3)


@pytest.mark.parametrize(
    ("curve", "value", "linear"),
    [
        (ParametricCurve(2.0), 0.5, 0.25),
        (ParametricCurve(2.0, a=2.0, b=-1.0, d=0.5, f=0.25, e=0.25), 0.75, 0.5),
        (ParametricCurve(2.0, c=0.25, d=0.25), 0.125, 0.03125),
        (SampledCurve(np.array([0.0, 0.2, 1.0])), 0.75, 0.6),
    ],
)
def test_a_curve_and_back(
    curve: ParametricCurve | SampledCurve, value: float, linear: float
) -> None:
    found = curve.to_linear(np.array([value], np.float32))
    assert float(found[0]) == pytest.approx(linear, abs=2e-5)
    assert float(curve.from_linear(found)[0]) == pytest.approx(value, abs=2e-5)


@pytest.mark.parametrize("profile", [ADOBE_RGB, PROPHOTO, DISPLAY_P3], ids=["Adobe", "Pro", "P3"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_colour_is_lost(profile: bytes, dtype: type) -> None:
    """By way of CIELAB the most vivid of ProPhoto were: up to 21% off."""
    space, values = ColourSpace(profile), noise(100, 100, dtype)
    srgb = space.to_srgb(values)
    found = space.from_srgb(np.nextafter(srgb, np.float32(2)), values).astype(int)
    assert np.abs(found - values).max() <= np.iinfo(dtype).max / 500
    assert np.median(np.abs(found - values)) <= 1


def test_what_is_not_changed_keeps_its_values() -> None:
    space, values = ColourSpace(ADOBE_RGB), noise(40, 50, np.uint16)
    srgb = space.to_srgb(values)
    srgb[:20] *= 0.9
    found = space.from_srgb(srgb, values)
    np.testing.assert_array_equal(found[20:], values[20:])
    assert (found[:20] < values[:20]).mean() > 0.9
    np.testing.assert_array_equal(found, space.from_srgb(srgb, values, space.to_srgb(values)))


def test_others_are_left_to_little_cms() -> None:
    assert read_matrix_profile(ADOBE_RGB) is not None
    gray = icc_profile("gray", BT709, 1.8, channels=1)
    cmyk = bytes(pyvips.Image.profile_load("cmyk"))
    for other in (
        gray,
        cmyk,
        ADOBE_RGB.replace(b"rTRC", b"A2B0"),
        ADOBE_RGB.replace(b"gXYZ", b"none"),
        ADOBE_RGB[:300],
        b"",
        with_curve(sampled(0, 40_000, 30_000, 65_535)),
        with_curve(sampled(0, 30_000)),
        with_curve(sampled(0)),
        with_curve(parametric(5, 1.0)),
        with_curve(parametric(0, -1.0)),
        with_curve(b"else" + bytes(20)),
    ):
        assert read_matrix_profile(other) is None


def test_a_matrix_that_little_cms_does_not_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two ways to read a profile, its is the one that others have."""
    wrong = read_matrix_profile(PROPHOTO)
    monkeypatch.setattr("rave_mm.photos.colour.read_matrix_profile", lambda profile: wrong)
    assert ColourSpace(ADOBE_RGB)._matrix is None
