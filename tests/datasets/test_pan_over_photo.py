import re

import numpy as np
import pytest

from rave_mm.datasets.pan_over_photo import PanOverPhoto


@pytest.fixture
def photo() -> np.ndarray:
    """Every pixel tells its place."""
    rows, columns = np.mgrid[:60, :80]
    return np.stack([rows, columns, rows * 0], axis=-1).astype(np.uint8)


def test_frames_move_in_a_straight_line_and_stay_aligned(photo: np.ndarray) -> None:
    np.random.seed(0)
    pan = PanOverPhoto(frames=4, size=30, step=5)
    seen = set()
    for _ in range(50):
        results = pan({"img": photo, "gt": photo + 100})
        places = np.array([frame[0, 0, :2] for frame in results["img"]], int)
        moves = np.diff(places, axis=0)
        assert (moves == moves[0]).all() and np.abs(moves).max() <= 5
        seen.add(tuple(moves[0]))
        for frame, truth, (top, left) in zip(results["img"], results["gt"], places, strict=True):
            np.testing.assert_array_equal(frame, photo[top : top + 30, left : left + 30])
            np.testing.assert_array_equal(truth, frame + 100)
    assert len(seen) > 20


def test_what_fits_just_fits(photo: np.ndarray) -> None:
    clip = PanOverPhoto(frames=4, size=60, step=0, keys=["img"])({"img": photo})["img"]
    assert [frame.shape for frame in clip] == [(60, 60, 3)] * 4


def test_the_seed_decides(photo: np.ndarray) -> None:
    pan = PanOverPhoto(frames=3, size=20, keys=["img"])
    clips = []
    for _ in range(2):
        np.random.seed(1)
        clips.append(np.stack(pan({"img": photo})["img"]))
    np.testing.assert_array_equal(*clips)


def test_photos_that_do_not_fit_are_told(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match=re.escape("got photographs of [(60, 80)]")):
        PanOverPhoto(frames=5, size=50, step=4)({"img": photo, "gt": photo})
    with pytest.raises(ValueError, match="expected one size of 10 or more"):
        PanOverPhoto(frames=1, size=10)({"img": photo, "gt": photo[:50]})
    with pytest.raises(ValueError, match="got frames=0, size=8, step=4"):
        PanOverPhoto(frames=0, size=8)
