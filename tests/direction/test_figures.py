from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.figures import (
    BACKLIT,
    WELL_LIT,
    draw_clouds,
    draw_histogram,
    draw_words,
)
from rave_mm.direction.residual_vector import Provenance, ResidualVector
from rave_mm.functional import residual_vector

MakeClouds = Callable[..., PhotoClouds]


@pytest.fixture
def clouds(make_clouds: MakeClouds) -> PhotoClouds:
    return make_clouds(1.0, 12)


@pytest.fixture
def residual(clouds: PhotoClouds) -> ResidualVector:
    vector, target = residual_vector(clouds.well_lit.embeddings, clouds.backlit.embeddings)
    origin = Provenance("a CLIP", "0", "w", "b", 12, 12, 0, "mean", "today")
    return ResidualVector(vector, float(target), origin)


def test_a_bar_for_each_word_the_first_at_the_top() -> None:
    axes = Figure().subplots()
    draw_words(axes, [("light", 0.3), ("día", 0.2), ("$dark", -0.1)], "words", WELL_LIT)
    bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    assert [bar.get_width() for bar in bars] == [0.3, 0.2, -0.1]
    assert {to_hex(bar.get_facecolor()) for bar in bars} == {WELL_LIT}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["light", r"d\xeda", "$dark"]
    bottom, top = axes.get_ylim()
    assert bottom > top


def test_each_photo_lies_where_it_projects_to(
    residual: ResidualVector, clouds: PhotoClouds
) -> None:
    axes = Figure().subplots()
    draw_clouds(axes, residual, clouds)
    backlit, dark_mean, well_lit, bright_mean = axes.collections
    for dots, mean, photos, colour in (
        (backlit, dark_mean, clouds.backlit, BACKLIT),
        (well_lit, bright_mean, clouds.well_lit, WELL_LIT),
    ):
        places = np.asarray(dots.get_offsets())
        np.testing.assert_allclose(places[:, 0], photos.embeddings @ residual.vector, atol=1e-6)
        assert to_hex(dots.get_facecolor()[0]) == to_hex(mean.get_facecolor()[0]) == colour
        centre = torch.nn.functional.normalize(photos.embeddings.mean(0), dim=0)
        across = float(np.asarray(mean.get_offsets())[0, 0])
        assert across == pytest.approx(float(centre @ residual.vector), abs=1e-6)
    (arrow,) = axes.texts
    assert arrow.xy[0] == pytest.approx(residual.target)  # type: ignore[attr-defined]
    # Up is at right angles to the vector, and what differs most there.
    up = np.concatenate([np.asarray(dots.get_offsets())[:, 1] for dots in (backlit, well_lit)])
    rows = torch.cat([clouds.backlit.embeddings, clouds.well_lit.embeddings])
    beside = rows - (rows @ residual.vector)[:, None] * residual.vector
    most = np.linalg.svd((beside - beside.mean(0)).numpy(), compute_uv=False)[0] ** 2 / len(rows)
    assert up.var() == pytest.approx(most, rel=1e-4)


def test_the_histogram_counts_both_sets_and_marks_the_target(
    residual: ResidualVector, clouds: PhotoClouds
) -> None:
    axes = Figure().subplots()
    draw_histogram(axes, residual, clouds)
    heights = {BACKLIT: 0.0, WELL_LIT: 0.0}
    for bar in axes.patches:
        assert isinstance(bar, Rectangle)
        heights[to_hex(bar.get_facecolor())] += bar.get_height()
    assert heights == {BACKLIT: 12, WELL_LIT: 12}
    (line,) = axes.lines
    assert list(line.get_xdata()) == [residual.target] * 2
