"""Colours are what the profile says, compared with conversions that libvips has no part in."""

import io
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from rave_mm.photos.colour import GRAY, SRGB, ColourSpace, colour_space, pixels_of

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = bytes(pyvips.Image.profile_load("p3"))


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def by_little_cms(values: np.ndarray, source: bytes, target: bytes) -> np.ndarray:
    """Another library's conversion, relative colorimetric."""
    ends = [ImageCms.ImageCmsProfile(io.BytesIO(profile)) for profile in (source, target)]
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    mode = {"outputMode": "RGB"} if values.shape[2] == 1 else {}
    converted: Any = ImageCms.profileToProfile(image, *ends, renderingIntent=1, **mode)
    return np.asarray(converted)


_P3 = np.array([[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0, 0.0451, 1.0439]])
_SRGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def light(values: np.ndarray) -> np.ndarray:
    """Linear light of sRGB and of P3, which has its tone curve; odd about 0."""
    size = np.abs(values)
    curve = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(curve, values)


def p3_light_as_srgb_light(linear: np.ndarray) -> np.ndarray:
    """Worked out from the primaries (SMPTE EG 432-1, IEC 61966-2-1), which share a white."""
    return linear @ (np.linalg.inv(_SRGB) @ _P3).T


def test_profiles_of_srgb_change_nothing() -> None:
    values = noise(20, 30, 3)
    for space in (
        SRGB,
        ColourSpace(SRGB_PROFILE),
        ColourSpace(bytes(pyvips.Image.profile_load("srgb"))),
    ):
        assert space.is_srgb
        np.testing.assert_array_equal(space.to_srgb(values), values / np.float32(255))
    gray = GRAY.to_srgb(values[..., :1])
    assert gray.shape == (20, 30, 3)
    np.testing.assert_array_equal(GRAY.from_srgb(gray, values[..., :1]), values[..., :1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_display_p3_beyond_srgb(dtype: type) -> None:
    values = noise(40, 40, 3, dtype=dtype)
    found = light(ColourSpace(P3).to_srgb(values))
    wanted = p3_light_as_srgb_light(light(values / np.iinfo(dtype).max))
    assert wanted.min() < -0.02 and wanted.max() > 1.05, "colours that sRGB cannot show"
    assert np.abs(found - wanted).max() < 0.002


def test_within_srgb_as_another_library_converts() -> None:
    values = noise(64, 64, 3)
    found = ColourSpace(P3).to_srgb(values)
    wanted = by_little_cms(values, P3, SRGB_PROFILE)
    within = (found.min(2) > 0.02) & (found.max(2) < 0.98)
    assert np.abs(found * 255 - wanted)[within].max() < 1.5


def test_a_gray_profile() -> None:
    with Image.open(io.BytesIO(_gray_jpeg())) as image:
        profile = image.info["icc_profile"]
    space = ColourSpace(profile, 1)
    assert not space.is_srgb
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    found = space.to_srgb(ramp)
    assert np.ptp(found, axis=2).max() < 1e-5
    linear = (ramp[..., 0] / 255.0) ** 1.8
    wanted = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(found.mean(2) - wanted).max() < 1.5 / 255
    np.testing.assert_array_equal(space.from_srgb(found, ramp), ramp)


def _gray_jpeg() -> bytes:
    """A gray picture whose profile has a tone curve of gamma 1.8."""
    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + bytes([1, 0xCC])
    white = (
        b"XYZ "
        + bytes(4)
        + b"".join(round(value * 65536).to_bytes(4, "big") for value in (0.9642, 1.0, 0.8249))
    )
    text = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"gray\0" + bytes(78)
    tags, body, start = [], b"", 128 + 4 + 3 * 12
    for name, data in ((b"desc", text), (b"wtpt", white), (b"kTRC", curve + bytes(2))):
        tags.append(name + (start + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big"))
        body += data + bytes(-len(data) % 4)
    head = bytearray(128)
    head[8:12], head[12:16], head[16:20] = b"\x02\x10\0\0", b"mntr", b"GRAY"
    head[20:24], head[36:40], head[68:80] = b"XYZ ", b"acsp", white[8:20]
    profile = bytes(head) + len(tags).to_bytes(4, "big") + b"".join(tags) + body
    profile = len(profile).to_bytes(4, "big") + profile[4:]
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(buffer, "JPEG", icc_profile=profile)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_was_not_changed_comes_back_to_the_last_bit(dtype: type) -> None:
    values = noise(50, 60, 3, dtype=dtype)
    for space in (SRGB, ColourSpace(P3)):
        np.testing.assert_array_equal(space.from_srgb(space.to_srgb(values), values), values)


def test_brighter_colours_come_back_in_their_own_space() -> None:
    values = noise(50, 60, 3) // 2
    space = ColourSpace(P3)
    brighter = space.to_srgb(values) * 1.3
    found = space.from_srgb(brighter, values)
    wanted = light(brighter) @ np.linalg.inv(np.linalg.inv(_SRGB) @ _P3).T
    assert np.abs(light(found / 255.0) - wanted.clip(0, 1)).max() < 0.01
    assert not (found == 255).any(), "no colour is clipped"


def test_a_profile_that_does_not_fit() -> None:
    for profile, channels in ((b"no profile", 3), (P3, 1), (P3[:300], 3)):
        with pytest.raises(ValueError, match=f"damaged or not for {channels} channels"):
            ColourSpace(profile, channels)


def test_each_profile_is_looked_at_once() -> None:
    assert colour_space(P3, 3) is colour_space(bytes(P3), 3)


def test_pixels_of_a_picture_higher_than_a_strip() -> None:
    values = noise(150, 7, 3)
    image = pyvips.Image.new_from_array(values, interpretation="srgb")
    np.testing.assert_array_equal(pixels_of(image.cast("uchar")), values)
