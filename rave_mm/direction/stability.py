"""Would other photos of the same kind give the same direction?"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import Estimate

Scenes: TypeAlias = NDArray[np.int32]

_HALVES = 10
_RESAMPLES = 20


def halves_agreement(estimate: Estimate, clouds: PhotoClouds, seed: int = 0) -> float | None:
    """Mean cosine between the directions of two halves of the photos, ten times by lot.

    Photos of one scene (`PhotoClouds.scenes`) are in one half, or the halves would share them.

    Returns:
        None where a set has fewer than four scenes.
    """
    scenes = clouds.scenes()
    if min(len(np.unique(numbers)) for numbers in scenes) < 4:
        return None
    rng = np.random.default_rng(seed)
    kinds = _by_kind(*scenes)

    def one() -> float:
        order = np.concatenate([rng.permutation(kind) for kind in kinds])
        first, second = (estimate(*_rows_of(clouds, scenes, order[half::2])) for half in (0, 1))
        return float(first @ second)

    return float(np.mean([one() for _ in range(_HALVES)]))


def bootstrap_agreement(estimate: Estimate, clouds: PhotoClouds, seed: int = 0) -> float:
    """Mean cosine of the direction with those of scenes drawn with replacement, twenty times."""
    rng = np.random.default_rng(seed)
    whole = estimate(clouds.well_lit.embeddings, clouds.backlit.embeddings)
    scenes = clouds.scenes()
    kinds = [kind for kind in _by_kind(*scenes) if len(kind)]

    def one() -> float:
        drawn = np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])
        return float(estimate(*_rows_of(clouds, scenes, drawn)) @ whole)

    return float(np.mean([one() for _ in range(_RESAMPLES)]))


def _by_kind(well_lit: Scenes, backlit: Scenes) -> list[Scenes]:
    """The scenes of both sets, of the well-lit alone, of the backlit alone.

    Drawing from each keeps how many scenes a set has.
    """
    return [
        np.intersect1d(well_lit, backlit),
        np.setdiff1d(well_lit, backlit),
        np.setdiff1d(backlit, well_lit),
    ]


def _rows_of(
    clouds: PhotoClouds, scenes: tuple[Scenes, Scenes], drawn: Scenes
) -> tuple[Tensor, Tensor]:
    """The embeddings of the photos of these scenes, as often as the scene was drawn."""
    well_lit, backlit = (
        found.embeddings[np.concatenate([np.flatnonzero(numbers == scene) for scene in drawn])]
        for found, numbers in zip((clouds.well_lit, clouds.backlit), scenes, strict=True)
    )
    return well_lit, backlit
