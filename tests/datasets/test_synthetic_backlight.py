import numpy as np
import pytest

from rave_mm.datasets.synthetic_backlight import (
    foreground_mask,
    linear_to_srgb,
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


def test_mask_is_soft_and_in_the_lower_centre() -> None:
    masks = np.stack([foreground_mask(90, 120, np.random.default_rng(seed)) for seed in range(40)])
    assert masks.min() >= 0 and masks.max() <= 1
    mean = masks.mean(0)
    assert mean[50:80, 40:80].mean() > 0.8
    assert mean[:15].mean() < 0.2
    assert ((masks > 0.05) & (masks < 0.95)).mean() > 0.02


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
