from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import (
    CONTROLS,
    ESTIMATORS,
    _geometric_median,
    _trimmed_mean,
    estimate_direction,
)
from rave_mm.functional import residual_vector, target_along

MakeClouds = Callable[..., PhotoClouds]
SERIOUS = [name for name in ESTIMATORS if name not in CONTROLS]


def sets(clouds: PhotoClouds) -> tuple[torch.Tensor, torch.Tensor]:
    return clouds.well_lit.embeddings, clouds.backlit.embeddings


def test_the_mean_is_the_papers(make_clouds: MakeClouds) -> None:
    rows = sets(make_clouds(1.0))
    expected, _ = residual_vector(*rows)
    torch.testing.assert_close(estimate_direction("mean", *rows), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", SERIOUS)
def test_each_estimator_finds_the_axis_that_parts_the_clouds(
    name: str, make_clouds: MakeClouds
) -> None:
    rows = sets(make_clouds(1.0))
    found = estimate_direction(name, *rows)
    assert found.dtype == torch.float32 and found.norm().item() == pytest.approx(1)
    assert found[0] > 0.9
    assert estimate_direction(name, *rows[::-1])[0] < -0.9


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_same_seed_gives_the_same_direction(name: str, make_clouds: MakeClouds) -> None:
    rows = sets(make_clouds(1.0))
    first, again = (estimate_direction(name, *rows, seed=3) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_lead_to_the_well_lit_side_by_another_way_for_each_seed(
    name: str, make_clouds: MakeClouds
) -> None:
    rows = sets(make_clouds(1.0))
    mean = estimate_direction("mean", *rows)
    found = torch.stack([estimate_direction(name, *rows, seed=seed) for seed in range(20)])
    assert (found @ mean).mean() < 0.7
    assert (found[0] - found[1]).norm() > 0.1


def test_the_guidance_of_a_control_has_a_way_to_go() -> None:
    """Also where the target, of the normalised mean, and the mean of the photos lie apart."""
    well_lit = normalize(torch.tensor([[0.224, 0.768, 0.6], [0.224, 0.768, -0.6]]), dim=1)
    backlit = torch.tensor([[0.0, 0.8, 0.6], [0.0, 0.8, -0.6]])
    for seed in range(50):
        vector = estimate_direction("random", well_lit, backlit, seed)
        assert target_along(vector, well_lit) > (backlit @ vector).mean()


def test_by_hand() -> None:
    """Centres of one-dimensional clouds, with one outlier."""
    rows = np.array([[value] for value in (0.0, 1, 2, 3, 4, 5, 6, 7, 8, 100)])
    assert _trimmed_mean(rows)[0] == pytest.approx(4.5)  # without 0 and 100
    odd = np.array([[0.0], [1.0], [50.0]])
    assert _geometric_median(odd)[0] == pytest.approx(1.0, abs=1e-3)
    corners = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    np.testing.assert_allclose(_geometric_median(corners), [1, 1])


@pytest.mark.parametrize("name", ["median", "geometric_median", "trimmed_mean", "weighted_mean"])
def test_robust_estimators_withstand_photos_in_the_wrong_folder(
    name: str, make_clouds: MakeClouds
) -> None:
    clean = estimate_direction("mean", *sets(make_clouds(1.0)))
    well_lit, backlit = sets(make_clouds(1.0))
    stray = normalize(torch.tensor([-3.0, 1, 3] + [0.0] * 13), dim=0).expand(4, -1)
    soiled = torch.cat([well_lit, stray])
    cosine = estimate_direction(name, soiled, backlit) @ clean
    assert cosine > estimate_direction("mean", soiled, backlit) @ clean


def test_kmeans_compares_like_with_like() -> None:
    """Two contents, of which the well-lit set has more of one: only light is to be found."""
    light, content = 0.3 * torch.eye(4)[0], torch.eye(4)[[1, 2]]
    well_lit = normalize(content[[0] * 9 + [1]] + light, dim=1)
    backlit = normalize(content[[0] + [1] * 9] - light, dim=1)
    jitter = 1e-3 * torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    rows = [normalize(part + jitter, dim=1) for part in (well_lit, backlit)]
    mean, kmeans = (estimate_direction(name, *rows) for name in ("mean", "kmeans"))
    assert mean[0] < 0.7 < 0.99 < kmeans[0]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_pair_of_photos_is_enough_but_for_lda(name: str) -> None:
    rows = normalize(torch.randn(2, 8), dim=1)
    if name == "lda":
        with pytest.raises(ValueError, match="lda needs 3 photos, got 2"):
            estimate_direction(name, rows[:1], rows[1:])
    else:
        found = estimate_direction(name, rows[:1], rows[1:])
        assert found.norm().item() == pytest.approx(1)


def test_unknown_estimator() -> None:
    rows = torch.eye(2)
    with pytest.raises(ValueError, match="estimator: got 'mode', expected one of mean, median"):
        estimate_direction("mode", rows[:1], rows[1:])


def test_equal_sets_have_no_direction() -> None:
    rows = normalize(torch.randn(3, 8), dim=1)
    with pytest.raises(ValueError, match="no residual vector: check that the two folders"):
        estimate_direction("median", rows, rows)
