"""Figures of enhancers whose answers are known."""

from pathlib import Path

import numpy as np
import pytest

from rave_mm.benchmark.enhancers import (
    Quality,
    faithfulness,
    halo,
    qualities,
    quality,
    shadows_slider,
    strong_edges,
)
from rave_mm.photos.writing import write_photo


def noise(*size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (*size, 3), dtype=np.uint8)


def brighter(photo: np.ndarray) -> np.ndarray:
    return (photo + 5).astype(np.uint8)


def test_quality_by_hand() -> None:
    photo = noise(30, 40)
    assert quality(photo, photo) == Quality(100.0, pytest.approx(1.0))
    # An error of 5 everywhere: 20 log10(255 / 5).
    assert quality(brighter(photo), photo).psnr == pytest.approx(34.151, abs=1e-3)


def test_every_pair_of_a_folder(tmp_path: Path) -> None:
    for side in ("backlit", "well-lit"):
        (tmp_path / side).mkdir()
        for name in "ab":
            write_photo(tmp_path / side / f"{name}.png", noise(20, 30))
    found = list(qualities(tmp_path, {"same": np.copy, "brighter": brighter}))
    assert [each["same"].psnr for each in found] == [100, 100]
    assert found[0]["brighter"].psnr == pytest.approx(34.151, abs=1e-3)
    kept = list(faithfulness(tmp_path / "well-lit", {"brighter": brighter}))
    assert [each["brighter"] for each in kept] == [found[0]["brighter"].psnr] * 2


def test_the_slider_lifts_shadows_alone() -> None:
    photo = np.zeros((100, 400, 3), np.uint8)
    photo[:, :200], photo[:, 200:] = 20, 250
    lifted = shadows_slider(photo).astype(int)
    # (20 / 255) ** (0.4 + 0.6 * 20 / 255) is 0.32.
    assert lifted[50, 10, 0] == pytest.approx(0.32 * 255, abs=1)
    assert abs(lifted[50, 390, 0] - 250) <= 1


def test_strong_edges_have_two_colours() -> None:
    pictures = list(strong_edges(60, 80))
    assert len(pictures) == 3
    for picture, dark in pictures:
        assert picture.shape == (60, 80, 3) and 0.05 < dark.mean() < 0.6
        assert picture[dark].max() == 26 and picture[~dark].min() == 196


def test_a_pointwise_enhancer_has_no_halo_and_a_blurred_one_has() -> None:
    assert halo(np.copy, 240, 320) < 0.01
    assert halo(brighter, 240, 320) < 0.01
    assert halo(shadows_slider, 240, 320) > 2
