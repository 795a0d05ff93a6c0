"""How good a direction is: does it part photos that it has not seen, and how fast is it had?"""

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import ESTIMATORS, Estimate, estimate_direction
from rave_mm.direction.stability import bootstrap_agreement, halves_agreement
from rave_mm.functional import target_along

_FOLDS = 5


@dataclass(frozen=True)
class Quality:
    """What is measured of a direction."""

    estimator: str
    cosine_to_mean: float
    """With RAVE's own."""
    target: float
    """`<p, v>`, with `p` the mean well-lit embedding."""
    backlit_mean: float
    """`<f(x), v>`, averaged over the backlit photos."""
    seen_auc: float
    """:func:`separation` of the photos that it was estimated from; flatters with few of them."""
    held_out_auc: float | None
    """:func:`separation` of others; None where there are too few to hold any out."""
    halves: float | None
    """Mean cosine between the directions of two random halves; None with too few scenes."""
    bootstrap: float
    """Mean cosine with the directions of scenes drawn with replacement."""
    seconds: float
    """To estimate it from embeddings, a second time: libraries are loaded at the first."""


def separation(vector: Tensor, well_lit: Tensor, backlit: Tensor) -> float:
    """The area under the ROC curve (AUC) of `<f(x), v>`.

    It is the chance that a well-lit photo lies further along the vector than a backlit one: 1 parts
    the sets, 0.5 is worthless, less is the wrong way round.

    Args:
        vector: (D,).
        well_lit, backlit: unit rows (N, D) and (M, D).
    """
    from sklearn.metrics import roc_auc_score

    along = torch.cat([well_lit, backlit]) @ vector
    labels = np.repeat([1, 0], [len(well_lit), len(backlit)])
    return float(roc_auc_score(labels, along.cpu().numpy()))


def held_out_separation(estimate: Estimate, clouds: PhotoClouds, seed: int = 0) -> float | None:
    """The :func:`separation` of photos that the direction was not estimated from.

    Cross-validated; photos of one scene (`PhotoClouds.scenes`) are held out together.

    Returns:
        The mean over five folds, or fewer; None where a set has fewer than three scenes.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    scenes = clouds.scenes()
    folds = min(_FOLDS, *(len(np.unique(numbers)) for numbers in scenes))
    if folds < 3:
        return None
    rows = torch.cat([clouds.well_lit.embeddings, clouds.backlit.embeddings])
    labels = np.repeat([1, 0], [len(numbers) for numbers in scenes])
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    found = []
    for train, test in splitter.split(rows, labels, np.concatenate(scenes)):
        seen, unseen = (_by_label(rows, labels, part) for part in (train, test))
        if min(map(len, (*seen, *unseen))) > 0:
            found.append(separation(estimate(*seen), *unseen))
    return float(np.mean(found)) if found else None


def _by_label(rows: Tensor, labels: np.ndarray, part: np.ndarray) -> tuple[Tensor, Tensor]:
    return rows[part[labels[part] == 1]], rows[part[labels[part] == 0]]


def measure_estimators(
    clouds: PhotoClouds,
    held_out: PhotoClouds | None = None,
    estimators: Sequence[str] = tuple(ESTIMATORS),
    seed: int = 0,
) -> list[Quality]:
    """Measure each estimator on the same photos.

    Args:
        clouds: what directions are estimated from.
        held_out: other photos for `held_out_auc`; None for cross-validation on `clouds`.
        estimators: their names.
        seed: of the folds and draws; controls are drawn anew in each.
    """
    return list(_measured(clouds, held_out, estimators, seed))


def _measured(
    clouds: PhotoClouds, held_out: PhotoClouds | None, estimators: Sequence[str], seed: int
) -> Iterator[Quality]:
    sets = (clouds.well_lit.embeddings, clouds.backlit.embeddings)
    mean = estimate_direction("mean", *sets)
    for name in estimators:
        estimate = _drawn_anew(name, seed)
        vector = estimate_direction(name, *sets, seed)
        started = time.perf_counter()
        estimate_direction(name, *sets, seed)
        seconds = time.perf_counter() - started
        if held_out is None:
            unseen = held_out_separation(estimate, clouds, seed)
        else:
            others = (held_out.well_lit.embeddings, held_out.backlit.embeddings)
            unseen = separation(vector, *others)
        yield Quality(
            estimator=name,
            cosine_to_mean=float(vector @ mean),
            target=target_along(vector, sets[0]),
            backlit_mean=float((sets[1] @ vector).mean()),
            seen_auc=separation(vector, *sets),
            held_out_auc=unseen,
            halves=halves_agreement(estimate, clouds, seed),
            bootstrap=bootstrap_agreement(estimate, clouds, seed),
            seconds=seconds,
        )


def _drawn_anew(estimator: str, seed: int) -> Estimate:
    """The estimator with another seed at each call, or a random direction would look stable."""
    seeds: Callable[[], int] = partial(next, iter(range(seed, seed + 10_000)))
    return lambda well_lit, backlit: estimate_direction(estimator, well_lit, backlit, seeds())


def quality_table(measured: Sequence[Quality]) -> str:
    """Lines to print, one for each direction."""
    heads = ("cos mean", "target", "backlit", "seen", "held out", "halves", "bootstrap", "ms")
    lines = [f"{'estimator':18}" + "".join(f"{head:>10}" for head in heads)]
    for quality in measured:
        cells = list(asdict(quality).values())[1:]
        cells[-1] = 1000 * quality.seconds
        shown = (f"{cell:10.3f}" if cell is not None else f"{'-':>10}" for cell in cells)
        lines.append(f"{quality.estimator:18}" + "".join(shown))
    return "\n".join(lines)


def quality_csv(measured: Sequence[Quality]) -> str:
    """The same with all digits; the names of the columns are those of :class:`Quality`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Quality)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(quality) for quality in measured)
    return text.getvalue()
