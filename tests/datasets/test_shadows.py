"""Shadows of every kind: in range, of the photograph's size, and along its outlines."""

import numpy as np
import pytest

from rave_mm.datasets.shadows import (
    SHADOWS,
    Shadow,
    below_the_sky,
    cut_out,
    foreground_mask,
    region,
    room,
    segments,
)


def house() -> np.ndarray:
    """A brown house with a textured wall, from row 40 on, under a bright sky."""
    rng = np.random.default_rng(0)
    photo = np.full((90, 120, 3), (205, 220, 240), np.uint8)
    photo[40:] = (110, 140, 60)
    photo[25:80, 30:80] = (130, 90, 60)
    return np.clip(photo + rng.normal(0, 3, photo.shape), 0, 255).astype(np.uint8)


def test_mask_is_soft_and_in_the_lower_centre() -> None:
    masks = np.stack([foreground_mask(90, 120, np.random.default_rng(seed)) for seed in range(40)])
    assert masks.min() >= 0 and masks.max() <= 1
    mean = masks.mean(0)
    assert mean[50:80, 40:80].mean() > 0.8
    assert mean[:15].mean() < 0.2
    assert ((masks > 0.05) & (masks < 0.95)).mean() > 0.02


@pytest.mark.parametrize("kind", SHADOWS)
@pytest.mark.parametrize("size", [(90, 120), (300, 200), (5, 7), (1, 1), (1, 40)])
def test_every_kind_for_every_size(kind: str, size: tuple[int, int]) -> None:
    random = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    for photo in (random, np.full_like(random, 128), np.zeros_like(random)):
        mask = SHADOWS[kind](photo, np.random.default_rng(2))
        assert mask.shape == size and mask.dtype == np.float32
        assert mask.min() >= 0 and mask.max() <= 1


@pytest.mark.parametrize("kind", SHADOWS)
def test_the_same_generator_gives_the_same_shadow(kind: str) -> None:
    first, second = (SHADOWS[kind](house(), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def edges_on_outlines(mask: np.ndarray) -> float:
    """How many of a mask's own edges lie where the house or the ground ends."""
    across = np.abs(np.diff(mask, axis=1))[:, :-1] > 0.2
    outline = np.zeros_like(across)
    outline[25:80, [28, 29, 30, 31, 77, 78, 79, 80]] = True
    return float(across[outline].sum() / max(1, across.sum()))


@pytest.mark.parametrize(("kind", "least"), [(region, 0.5), (segments, 0.2)])
def test_shadows_along_outlines(kind: Shadow, least: float) -> None:
    found = [edges_on_outlines(kind(house(), np.random.default_rng(seed))) for seed in range(12)]
    drawn = [
        edges_on_outlines(foreground_mask(90, 120, np.random.default_rng(s))) for s in range(12)
    ]
    assert np.mean(found) > least > 2 * np.mean(drawn)


def test_the_sky_keeps_its_light() -> None:
    mask = below_the_sky(house(), np.random.default_rng(0))
    assert mask[:22].max() < 0.1
    assert mask[45:].min() > 0.9 and mask[30:75, 35:75].min() > 0.9


def test_without_a_sky_there_is_a_line() -> None:
    photo = np.full((80, 100, 3), 60, np.uint8)
    mask = below_the_sky(photo, np.random.default_rng(0))
    assert mask[:8].mean() < 0.2 and mask[-8:].mean() > 0.8


def test_a_room_has_windows() -> None:
    masks = [room(house(), np.random.default_rng(seed)) for seed in range(10)]
    assert all(0.005 < (mask < 0.1).mean() < 0.8 for mask in masks)


def test_what_is_cut_out_is_the_thing_in_the_box() -> None:
    mask = cut_out(house(), (0.2, 0.2, 0.55, 0.75))
    assert mask[30:75, 35:75].mean() > 0.95
    assert mask[:20].max() == 0 and mask[:, 90:].max() == 0
