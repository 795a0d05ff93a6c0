"""Profiles that are written here, as Little CMS understands them."""

import io

import numpy as np
import pytest
from PIL import ImageCms

from rave_mm.photos.colour import ColourSpace
from rave_mm.photos.icc_profile import BT709, Primaries, icc_profile
from tests.photos.pictures import linear, noise

P3 = Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))


def test_primaries_of_srgb() -> None:
    """IEC 61966-2-1 has them as a matrix."""
    published = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(BT709.to_xyz(), published, atol=1e-4)


def test_srgb_is_srgb() -> None:
    assert ColourSpace(icc_profile("mine", BT709, None)).is_srgb
    assert not ColourSpace(icc_profile("mine", P3, None)).is_srgb


@pytest.mark.parametrize("gamma", [None, 1.0, 1.8, 563 / 256])
def test_colours_of_other_primaries(gamma: float | None) -> None:
    values = noise(dtype=np.uint16)
    share = values / 65535
    light = linear(share) if gamma is None else share**gamma
    wanted = light @ (np.linalg.inv(BT709.to_xyz()) @ P3.to_xyz()).T
    found = linear(ColourSpace(icc_profile("mine", P3, gamma)).to_srgb(values))
    np.testing.assert_allclose(found, wanted, atol=3e-4)  # a profile has 16 bits behind the point


def test_gray() -> None:
    values = np.linspace(0, 65535, 100).astype(np.uint16).reshape(10, 10, 1)
    found = ColourSpace(icc_profile("mine", BT709, 1.8, channels=1), 1).to_srgb(values)
    np.testing.assert_allclose(linear(found[..., :1]), (values / 65535) ** 1.8, atol=2e-3)


def test_programs_can_read_it() -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile("Display P3", P3, None)))
    assert ImageCms.getProfileDescription(profile).strip() == "Display P3"
    assert profile.profile.version == 4.3
    assert profile.profile.xcolor_space == "RGB "


@pytest.mark.parametrize(
    ("primaries", "told"),
    [
        (Primaries((0, 0), (0.3, 0.6), (0.15, 0.06)), "without luminance"),
        (Primaries((0.2, 0.2), (0.4, 0.4), (0.6, 0.6)), "on a line"),
    ],
)
def test_primaries_that_span_nothing(primaries: Primaries, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        icc_profile("mine", primaries, None)
