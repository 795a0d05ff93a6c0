"""The photos of the least and of the most gain are kept, whatever their order and process."""

import io
import math
import random

import numpy as np
import torch
from PIL import Image

from rave_mm.evaluation.showcase import Showcase, Shown, gain, jpeg, sortable_gain


def fill(gains: list[float], each: int) -> Showcase:
    showcase = Showcase(each)
    for index, value in enumerate(gains):
        path = f"{value:09.3f}"
        if showcase.wants(value, path):
            showcase.add(Shown(value, path, b"before", b"after"))
        assert len(showcase.shown) <= 2 * each, index
    return showcase


def test_both_ends_are_kept() -> None:
    gains = [float(value) for value in range(40)]
    random.Random(0).shuffle(gains)
    ends = [0.0, 1, 2, 37, 38, 39]
    assert [photo.gain for photo in fill(gains, 3).shown] == ends
    parts = [fill(gains[0::2], 3), fill(gains[1::2] + gains[:1], 3)]
    assert [photo.gain for photo in Showcase.merged(parts, 3).shown] == ends
    assert not fill(gains, 3).wants(20.0, "x") and fill(gains, 3).wants(-1.0, "x")


def test_a_photo_is_shown_once() -> None:
    part = fill([1.0, 2.0], 3)
    assert [p.gain for p in Showcase.merged([part, fill([2.0], 3)], 3).shown] == [1, 2]


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
