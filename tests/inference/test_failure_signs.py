"""Failure signs of pictures for which they can be told by hand."""

import numpy as np
import pytest

from rave_mm.inference.failure_signs import FailureMeter, FailureSigns


def picture(*colours: tuple[float, float, float]) -> np.ndarray:
    return np.array([colours], np.float32)


def signs(before: np.ndarray, after: np.ndarray) -> FailureSigns:
    """Counted in two tiles, which must not matter."""
    meter = FailureMeter()
    for part in (slice(0, 1), slice(1, None)):
        meter.add(before[:, part], after[:, part])
    return meter.signs()


def test_newly_clipped() -> None:
    before = picture((0.5, 0.5, 0.5), (1.0, 0.2, 0.2), (0.6, 0.3, 0.3), (0.4, 0.4, 0.4))
    after = picture((0.9, 0.9, 0.9), (1.0, 1.0, 1.0), (1.0, 0.6, 0.6), (0.99, 0.9, 0.9))
    assert signs(before, after) == FailureSigns(0.25, 0, 0, 0)


def test_division_keeps_the_hue() -> None:
    before = picture((0.08, 0.05, 0.03), (0.02, 0.03, 0.09))
    found = signs(before, before / np.float32(0.2))
    assert found.dark == 1
    assert found.hue_shift == pytest.approx(0, abs=1e-3)


def test_hue_shift_counts_coloured_dark_pixels() -> None:
    # Red to green is 120 degrees; gray has no hue; the bright one does not count.
    before = picture((0.1, 0.0, 0.0), (0.05, 0.05, 0.05), (0.9, 0.1, 0.1))
    after = picture((0.0, 0.5, 0.0), (0.5, 0.5, 0.5), (0.1, 0.9, 0.1))
    found = signs(before, after)
    assert found.dark == pytest.approx(2 / 3)
    assert found.hue_shift == pytest.approx(120, abs=1e-3)
    assert found.green_shift == pytest.approx((0.5 + 0.05 + 0) / 2)
    assert found.suspect


def test_faint_green_noise_amplified() -> None:
    before = picture((0.01, 0.02, 0.01), (0.5, 0.5, 0.5))
    found = signs(before, before / np.float32(0.1))
    assert found.green_shift == pytest.approx(0.09, abs=1e-5)
    assert found.suspect


def test_nothing_dark() -> None:
    white = np.full((2, 2, 3), 0.9, np.float32)
    assert signs(white, white) == FailureSigns(0, 0, 0, 0)
    assert not signs(white, white).suspect
