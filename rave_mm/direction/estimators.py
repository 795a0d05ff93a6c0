"""Ways from two clouds of embeddings to one direction; RAVE's own is the mean.

Each leads from backlit to well-lit. The target is always `<p, v>`, with `p` the mean well-lit
embedding, whatever the direction was estimated with.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from rave_mm.functional import residual_vector, target_along

Rows: TypeAlias = NDArray[np.float64]
Estimate: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From unit rows (N, D), well-lit, and (M, D), backlit, to a unit vector (D,)."""

_TRIMMED = 0.1
_CLUSTERS = 4


def estimate_direction(estimator: str, well_lit: Tensor, backlit: Tensor, seed: int = 0) -> Tensor:
    """The direction from backlit to well-lit photos, by one of :data:`ESTIMATORS`.

    Args:
        estimator: its name.
        well_lit: unit rows (N, D).
        backlit: unit rows (M, D).
        seed: of what is drawn: k-means' first centres, a random direction, shuffled labels.

    Returns:
        (D,), unit length, in the type and on the device of `well_lit`. Of the controls, "random"
        and "shuffled", the sign is the one with which the target lies beyond the backlit photos,
        so that the guidance has a way to go.

    Raises:
        ValueError: an unknown estimator, shapes or lengths that do not fit, or no direction, as
            where the two sets are equal.
    """
    check_estimator(estimator)
    mean, _ = residual_vector(well_lit, backlit)  # checks the rows, too
    if estimator == "mean":
        return mean
    positive, negative = (part.detach().cpu().double().numpy() for part in (well_lit, backlit))
    found = ESTIMATORS[estimator](positive, negative, np.random.default_rng(seed))
    direction = torch.from_numpy(found)
    if direction.norm() < 1e-9:
        raise ValueError(
            f"the estimator {estimator} finds no direction between {len(well_lit)} well-lit and "
            f"{len(backlit)} backlit photos; take another, or more photos"
        )
    direction = normalize(direction, dim=0)
    if estimator in CONTROLS:
        start = float((backlit.cpu().double() @ direction).mean())
        if target_along(direction, well_lit.cpu().double()) < start:
            direction = -direction
    return direction.to(well_lit)


def check_estimator(estimator: str) -> None:
    """Refuse an unknown name with a ValueError that lists those that there are."""
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator: got {estimator!r}, expected one of {', '.join(ESTIMATORS)}")


def _between(centre: Callable[[Rows], Rows]) -> Callable[[Rows, Rows, np.random.Generator], Rows]:
    """The direction between the centres of the clouds, put on the sphere as RAVE's means are."""

    def estimate(well_lit: Rows, backlit: Rows, _: np.random.Generator) -> Rows:
        return _unit(centre(well_lit)) - _unit(centre(backlit))

    return estimate


def _unit(rows: Rows) -> Rows:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def _median(rows: Rows) -> Rows:
    return np.median(rows, axis=0)


def _trimmed_mean(rows: Rows) -> Rows:
    """Of each component, without a tenth of the photos at either end: of ten photos on."""
    cut = int(_TRIMMED * len(rows))
    return np.sort(rows, axis=0)[cut : len(rows) - cut].mean(0)


def _geometric_median(rows: Rows) -> Rows:
    """The point of the least sum of distances (Weiszfeld's iteration)."""
    centre = rows.mean(0)
    for _ in range(200):
        weights = 1 / np.maximum(np.linalg.norm(rows - centre, axis=1), 1e-9)
        moved = weights @ rows / weights.sum()
        if np.linalg.norm(moved - centre) < 1e-9:
            break
        centre = moved
    return centre


def _weighted_mean(well_lit: Rows, backlit: Rows, _: np.random.Generator) -> Rows:
    """Photos that are clearly of their own set count most, one in the wrong folder hardly.

    The weight is the logistic function of how far a photo lies on its own side of the middle
    between the means, along the direction between them, in standard deviations of that.
    """
    direction = _unit(well_lit).mean(0) - _unit(backlit).mean(0)
    sides = [well_lit @ direction, backlit @ direction]
    middle = np.mean([side.mean() for side in sides])
    spread = max(float(np.mean([side.std() for side in sides])), 1e-12)
    weights = [1 / (1 + np.exp(-(sides[0] - middle) / spread))]
    weights += [1 / (1 + np.exp((sides[1] - middle) / spread))]
    return _unit(weights[0] @ well_lit) - _unit(weights[1] @ backlit)


def _kmeans(well_lit: Rows, backlit: Rows, rng: np.random.Generator) -> Rows:
    """Each centre of the backlit photos to the nearest of the well-lit ones, by their numbers.

    Photos of like contents are compared with each other, so that contents cancel.
    """
    from sklearn.cluster import KMeans

    def cluster(rows: Rows) -> KMeans:
        # No more centres than there are different photos.
        count = min(_CLUSTERS, len(np.unique(rows.round(9), axis=0)))
        return KMeans(count, n_init=10, random_state=int(rng.integers(2**31))).fit(rows)

    to, start = cluster(well_lit), cluster(backlit)
    pairs = to.predict(start.cluster_centers_)
    steps = to.cluster_centers_[pairs] - start.cluster_centers_
    return np.bincount(start.labels_, minlength=len(steps)) @ steps / len(backlit)


def _stacked(well_lit: Rows, backlit: Rows) -> tuple[Rows, NDArray[np.int64]]:
    return np.concatenate([well_lit, backlit]), np.repeat([1, 0], [len(well_lit), len(backlit)])


def _lda(well_lit: Rows, backlit: Rows, _: np.random.Generator) -> Rows:
    """The normal of linear discriminant analysis, with Ledoit and Wolf's shrunk covariance."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    if len(well_lit) + len(backlit) < 3:
        raise ValueError("the estimator lda needs 3 photos, got 2; take more, or another estimator")
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return model.fit(*_stacked(well_lit, backlit)).coef_[0]


def _logistic(well_lit: Rows, backlit: Rows, _: np.random.Generator) -> Rows:
    """The normal of logistic regression, both sets counting alike."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    return model.fit(*_stacked(well_lit, backlit)).coef_[0]


def _random(well_lit: Rows, backlit: Rows, rng: np.random.Generator) -> Rows:
    return rng.standard_normal(well_lit.shape[1])


def _shuffled(well_lit: Rows, backlit: Rows, rng: np.random.Generator) -> Rows:
    """The means' direction of the same photos, each put into a set by lot."""
    mixed = rng.permutation(np.concatenate([well_lit, backlit]))
    return _unit(mixed[: len(well_lit)].mean(0)) - _unit(mixed[len(well_lit) :].mean(0))


def _mean(rows: Rows) -> Rows:
    return rows.mean(0)


ESTIMATORS: dict[str, Callable[[Rows, Rows, np.random.Generator], Rows]] = {
    "mean": _between(_mean),
    "median": _between(_median),
    "geometric_median": _between(_geometric_median),
    "trimmed_mean": _between(_trimmed_mean),
    "weighted_mean": _weighted_mean,
    "kmeans": _kmeans,
    "lda": _lda,
    "logistic": _logistic,
    "random": _random,
    "shuffled": _shuffled,
}
"""By name: from well-lit rows, backlit rows and a generator to a direction of any length."""

CONTROLS = ("random", "shuffled")
"""What any direction would do."""
