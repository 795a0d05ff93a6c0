"""The checkpoint that ships, on photographs of packages that nothing was trained on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import chelsea
from sklearn.datasets import load_sample_image

import rave_mm
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.inference.bundled import BUNDLED_ENHANCER


@pytest.fixture(scope="module")
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Backlit and well-lit: a temple and a cat, of half their size."""
    photos = [photo[::2, ::2] for photo in (load_sample_image("china.jpg"), chelsea())]
    return [
        (synthetic_backlight(photo, np.random.default_rng(seed), (2.5, 2.5)), photo)
        for seed, photo in enumerate(photos)
    ]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((one / 255.0 - other / 255.0) ** 2)))


def gains(pairs: list[tuple[np.ndarray, np.ndarray]], **options: Path) -> list[float]:
    return [
        psnr(rave_mm.enhance(backlit, device="cpu", **options), well_lit) - psnr(backlit, well_lit)
        for backlit, well_lit in pairs
    ]


def test_it_brings_back_what_backlight_took(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert min(gains(pairs)) > 2


def test_better_than_the_published_one(
    pairs: list[tuple[np.ndarray, np.ndarray]], reference: Path
) -> None:
    published = gains(pairs, checkpoint=reference / "rave_unpaired.pth")
    assert np.mean(gains(pairs)) > np.mean(published)


def test_well_lit_photos_stay_as_they_are(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for _, well_lit in pairs:
        result = rave_mm.enhance(well_lit, device="cpu").astype(int)
        assert np.mean(np.abs(result - well_lit)) < 12


def test_it_holds_weights_alone() -> None:
    stored = torch.load(BUNDLED_ENHANCER, weights_only=True)
    assert BUNDLED_ENHANCER.stat().st_size < 6e6
    assert all(value.isfinite().all() for value in stored.values())
