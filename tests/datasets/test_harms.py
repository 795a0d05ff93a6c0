"""Each harm keeps its promise on pictures made by hand."""

import numpy as np
import pytest

from rave_mm.datasets import harms
from rave_mm.datasets.harms import HARMS, UNTAUGHT, Apply, FloatArray
from rave_mm.datasets.shadows import foreground_mask

ALL: dict[str, Apply] = {name: harm.apply for name, harm in HARMS.items()} | dict(UNTAUGHT)


def picture(seed: int = 0) -> FloatArray:
    """A bright upper half, a dark lower one, some texture, some colour."""
    rng = np.random.default_rng(seed)
    light = np.linspace(0.85, 0.12, 48, dtype=np.float32)[:, None, None]
    texture = rng.normal(0, 0.06, (12, 12, 3)).repeat(4, 0).repeat(4, 1)
    colours = np.float32([1.05, 1.0, 0.9])
    return np.clip(light * colours + texture, 0, 1).astype(np.float32)


def distance(name: str, severity: float) -> float:
    harmed = ALL[name](picture(), severity, np.random.default_rng(1))
    return float(np.sqrt(np.square(harmed - picture()).mean()))


@pytest.mark.parametrize("name", ALL)
def test_a_harm_gives_a_picture_and_leaves_its_input_alone(name: str) -> None:
    before = picture()
    harmed = ALL[name](before, 0.7, np.random.default_rng(0))
    assert harmed.shape == before.shape and harmed.dtype == np.float32
    assert harmed.min() >= 0 and harmed.max() <= 1
    np.testing.assert_array_equal(before, picture())
    again = ALL[name](before, 0.7, np.random.default_rng(0))
    np.testing.assert_array_equal(harmed, again)


@pytest.mark.parametrize("name", ALL)
def test_a_harm_grows_with_its_severity(name: str) -> None:
    slight, plain, gross = (distance(name, severity) for severity in (0.1, 0.5, 1.0))
    assert slight < plain < gross
    assert slight < 0.06 and gross > 0.02


def test_captions_are_distinct() -> None:
    assert len({harm.caption for harm in HARMS.values()}) == len(HARMS)
    assert not set(HARMS) & set(UNTAUGHT)


def test_highlights_are_dimmed_and_shadows_left() -> None:
    before = picture()
    harmed = harms.dim_highlights(before, 1.0, np.random.default_rng(0))
    assert (harmed[:8] < 0.75 * before[:8]).mean() > 0.95
    np.testing.assert_allclose(harmed[-6:], before[-6:], atol=0.01)


def test_black_is_lifted_and_white_left() -> None:
    ends = np.array([[[0, 0, 0], [1, 1, 1]]], np.float32)
    lifted = harms.lift_blacks(ends, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(lifted[0, :, 0], [0.45, 1], atol=1e-6)
    crushed = harms.crush_blacks(np.full((4, 4, 3), 0.3, np.float32), 1.0, np.random.default_rng(0))
    assert crushed.max() == 0


def test_a_desaturated_picture_is_grey_with_the_same_luma() -> None:
    before = picture()
    grey = harms.desaturate(before, 1.0, np.random.default_rng(0))
    assert np.ptp(grey, axis=2).max() < 1e-6
    np.testing.assert_allclose(grey[..., 0], before @ np.float32([0.299, 0.587, 0.114]), atol=1e-6)


@pytest.mark.parametrize(
    ("hue", "most", "least"), [(0, 0, (1, 2)), (1 / 3, 1, (0, 2)), (2 / 3, 2, (0, 1))]
)
def test_a_tint_favours_its_colour(hue: float, most: int, least: tuple[int, int]) -> None:
    grey = np.full((2, 2, 3), 0.4, np.float32)
    tinted = harms.tint(grey, 0.5, hue)[0, 0]
    assert tinted[most] == pytest.approx(0.4 * 2 ** (0.75 / 2.2), rel=1e-5)
    for channel in least:
        assert tinted[channel] == pytest.approx(0.4 * 2 ** (-0.375 / 2.2), rel=1e-5)


def test_flattened_light_makes_halves_more_alike() -> None:
    before = picture()
    after = harms.flatten_light(before, 1.0, np.random.default_rng(0))
    assert after[:16].mean() - after[-16:].mean() < 0.5 * (before[:16].mean() - before[-16:].mean())


def test_the_rim_of_a_shadow_is_dark_and_its_middle_is_not() -> None:
    flat = np.full((96, 96, 3), 0.6, np.float32)
    mask = foreground_mask(96, 96, np.random.default_rng(4))
    harmed = HARMS["dark rims"].apply(flat, 1.0, np.random.default_rng(4)).mean(2)
    assert harmed[np.abs(mask - 0.5) < 0.1].max() < 0.25
    assert harmed[mask > 0.995].min() > 0.55 and harmed[mask < 0.005].min() > 0.55


def test_posterising_leaves_few_levels() -> None:
    assert len(np.unique(harms.posterise(picture(), 1.0, np.random.default_rng(0)))) <= 4
