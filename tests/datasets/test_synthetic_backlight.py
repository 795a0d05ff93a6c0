import numpy as np
import pytest

from rave_mm.datasets.synthetic_backlight import (
    jpeg_compressed,
    linear_to_srgb,
    retouched,
    srgb_to_linear,
    synthetic_backlight,
)


def test_srgb_known_values() -> None:
    srgb = np.array([0.0, 0.04045, 0.5, 1.0], np.float32)
    expected = np.array([0.0, 0.04045 / 12.92, 0.21404114, 1.0], np.float32)
    np.testing.assert_allclose(srgb_to_linear(srgb), expected, atol=1e-6)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(srgb)), srgb, atol=1e-6)


def test_linear_to_srgb_clips_what_a_sensor_clips() -> None:
    clipped = linear_to_srgb(np.array([-0.1, 1.5], np.float32))
    np.testing.assert_allclose(clipped, [0.0, 1.0], atol=1e-6)


def test_foreground_loses_the_stops_that_were_asked_for() -> None:
    photo = np.full((80, 80, 3), 200, np.uint8)
    backlit = synthetic_backlight(photo, np.random.default_rng(3), ev=(3.0, 3.0))
    linear = srgb_to_linear(backlit.astype(np.float32) / 255)
    stops = np.log2(linear / srgb_to_linear(np.array(200 / 255, np.float32)))
    # The darkest part is three stops down, the rest keeps its light or gains up to 0.4 stops.
    assert np.median(stops[stops < -2]) == pytest.approx(-3, abs=0.1)
    assert -0.1 < np.median(stops[stops > -0.5]) < 0.45


def test_same_generator_state_same_picture() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    first, second, other = (synthetic_backlight(photo, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_bad_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"got shape \(4, 4\) of uint8, expected \(H, W, 3\)"):
        synthetic_backlight(np.zeros((4, 4), np.uint8), rng)
    with pytest.raises(ValueError, match=r"ev: got \(4, 2\)"):
        synthetic_backlight(np.zeros((4, 4, 3), np.uint8), rng, ev=(4, 2))


def test_a_mask_says_where_light_is_lost() -> None:
    photo, mask = np.full((40, 60, 3), 180, np.uint8), np.zeros((40, 60), np.float32)
    mask[10:30, 20:40] = 1
    backlit = synthetic_backlight(photo, np.random.default_rng(0), (2.0, 2.0), mask)
    assert backlit[12:28, 22:38].max() < 120 < 170 < backlit[:8].min()


def test_noise_is_what_was_asked_for() -> None:
    photo, mask = np.full((60, 60, 3), 120, np.uint8), np.ones((60, 60), np.float32)
    spread = [
        synthetic_backlight(photo, np.random.default_rng(0), (1.0, 1.0), mask, noise).std()
        for noise in (1, 4)
    ]
    assert spread[1] > 3 * spread[0]


def test_jpeg_leaves_colours_where_they_are() -> None:
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[..., 0], photo[..., 1] = 200, np.arange(32)[:, None] * 4
    good, bad = jpeg_compressed(photo, 98), jpeg_compressed(photo, 5)
    assert np.abs(good.astype(int) - photo).mean() < 3
    assert np.abs(bad.astype(int) - photo).mean() > 2 * np.abs(good.astype(int) - photo).mean()


def test_retouching_lifts_what_is_dark_among_the_dark() -> None:
    photo = np.full((64, 64, 3), 240, np.uint8)
    photo[:, :32] = 40
    lifted = retouched(photo, 0.25)
    dark = 40 / 255  # far from the edge its surroundings are as it is
    assert lifted[32, 8, 0] == round(255 * dark ** (1 - 0.25 * (1 - dark) ** 2))
    assert 240 <= lifted[32, 56, 0] <= 241
    # The same darkness in a small spot, with light around it, is a dark thing.
    spot = np.full((64, 64, 3), 240, np.uint8)
    spot[32, 32] = 40
    assert retouched(spot, 0.25)[32, 32, 0] < 43


def test_retouching_keeps_black_white_and_order() -> None:
    ends = np.zeros((32, 32, 3), np.uint8)
    ends[16:] = 255
    np.testing.assert_array_equal(retouched(ends, 0.9), ends)
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(retouched(photo, 0), photo)
    assert (retouched(photo, 0.25).astype(int) >= photo).all()
