"""Every photo is shown once, worst first, in pictures that get smaller where there are many."""

import io
import math

import numpy as np
import torch
from PIL import Image

from rave_mm.evaluation.showcase import Shown, gain, jpeg, long_side, merged, sortable_gain


def shown(value: float, path: str) -> Shown:
    return Shown(value, path, b"before", b"after")


def test_photos_of_several_processes_are_sorted_and_there_once() -> None:
    parts = [[shown(2.0, "b"), shown(-1.0, "c")], [shown(2.0, "a"), shown(2.0, "b")]]
    assert [photo.path for photo in merged(parts)] == ["c", "a", "b"]


def test_many_photos_are_shown_smaller() -> None:
    """So that a report of thousands is not larger than one of BAID's 368."""
    assert [long_side(count) for count in (0, 1, 150, 368, 1472)] == [800, 800, 800, 512, 256]
    assert long_side(100_000) == 160


def test_gain_is_above_zero_where_it_is_better() -> None:
    assert gain(3.0, 1.0, higher_is_better=True) == 2
    assert gain(0.25, 0.75, higher_is_better=False) == 0.5
    assert gain(math.inf, math.inf, higher_is_better=True) == 0
    assert sortable_gain(None) == sortable_gain(math.nan) == -math.inf


def test_pictures_are_upright_rgb_and_small() -> None:
    bgr = torch.zeros(3, 30, 100)
    bgr[2, :, :50] = 250.0  # red, on the left
    photo = Image.open(io.BytesIO(jpeg(bgr, 50)))
    assert photo.format == "JPEG" and photo.size == (50, 15)
    pixels = np.asarray(photo)
    assert pixels[7, 5, 0] > 200 > 60 > pixels[7, 5, 2] and pixels[7, 45].max() < 50
    assert Image.open(io.BytesIO(jpeg(bgr))).size == (100, 30)
