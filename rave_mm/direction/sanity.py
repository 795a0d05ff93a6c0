"""Tells, before an hour is trained, that a residual vector is of no use.

An error is what cannot be meant: nothing but the same photos, or a target that lies on the backlit
side. What may be meant, as in a trial or an experiment, is a warning.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.photo_embeddings import PhotoEmbeddings
from rave_mm.clip.vocabulary import embed_phrases
from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import Estimate
from rave_mm.direction.quality import held_out_separation, separation
from rave_mm.functional import residual_vector

HANDFUL = 5
"""With fewer photos than this in a set, one of them decides the direction."""

CHANCE = 0.6
"""An AUC on held-out photos below this is hardly better than a coin's 0.5."""

SWAPPED = 0.25
"""Nor does CLIP's own idea of light part the folders worse than this, the wrong way round."""

SHORT = 0.3
"""A way to the target below this part of the mean's teaches little: LDA's on the demo set, a
quarter of it, lifted photos by 0.15 dB instead of 2.6, though it parts the sets without a fault."""

_LIGHT = ("a well-lit photo", "a backlit photo")
_SHOWN = 3


@dataclass(frozen=True)
class Findings:
    """What is wrong, in plain words."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_clouds(clip: FrozenCLIP, clouds: PhotoClouds) -> Findings:
    """Look at the photos alone: too few, in both folders, or the folders swapped."""
    errors, warnings = [], []
    sets = {"well_lit": clouds.well_lit, "backlit": clouds.backlit}
    few = []
    for name, found in sets.items():
        copies = len(found.paths) - len(_contents(found))
        if len(found.paths) - copies < HANDFUL:
            told = f"{len(found.paths)} in {name}"
            few.append(f"{told}, {copies} of them copies" if copies else told)
    if few:
        warnings.append(
            f"the residual vector is of very few photos ({', '.join(few)}), so each of them sways "
            f"it; take {HANDFUL} at least, better some dozens"
        )
    both = {digest for digest in clouds.well_lit.digests if digest} & set(clouds.backlit.digests)
    bright, dark = (_in(found, both) for found in (clouds.well_lit, clouds.backlit))
    if both:
        partner = dict(zip(clouds.backlit.digests, clouds.backlit.paths, strict=True))
        some = "; ".join(
            f"{clouds.well_lit.paths[index]} and {partner[clouds.well_lit.digests[index]]}"
            for index in np.flatnonzero(bright)[:_SHOWN]
        )
        counts = f"{bright.sum()} of {len(bright)} well-lit, {dark.sum()} of {len(dark)} backlit"
        told = f"photos are in both folders ({counts}): {some}"
        if bright.all() or dark.all():
            errors.append(f"all {told}. Name two folders that differ.")
        else:
            warnings.append(f"{told}. They blur the vector: take them out of one folder.")
    if min((~bright).sum(), (~dark).sum()) >= HANDFUL:
        rows = (clouds.well_lit.embeddings[~bright], clouds.backlit.embeddings[~dark])
        warnings += _swapped(clip, *rows)
    return Findings(tuple(errors), tuple(warnings))


def check_vector(
    clouds: PhotoClouds, vector: Tensor, target: float, estimate: Estimate
) -> Findings:
    """Look at a direction: does it lead to the well-lit photos, does it part those held out?

    Args:
        clouds: the photos that it was estimated from.
        vector: (D,).
        target: `t`.
        estimate: what gave the vector, to ask it again without some of the photos.
    """
    start = float((clouds.backlit.embeddings @ vector).mean())
    if target <= start:
        return Findings(
            errors=(
                f"the target ({target:.4f}) is not above where the backlit photos are already "
                f"({start:.4f}), so the guidance would make photos worse: was too much removed "
                "from the vector? Remove less, or take another estimator",
            )
        )
    return Findings(
        warnings=(*_short_way(clouds, target - start), *_not_told_apart(clouds, estimate))
    )


def _short_way(clouds: PhotoClouds, way: float) -> list[str]:
    mean, target = residual_vector(clouds.well_lit.embeddings, clouds.backlit.embeddings)
    whole = float(target - (clouds.backlit.embeddings @ mean).mean())
    if way >= SHORT * whole:
        return []
    return [
        f"along the residual vector the target is only {way:.3f} beyond the backlit photos, "
        f"{way / whole:.0%} of the way along the mean's ({whole:.3f}), so guidance by it will "
        "hardly lighten a photo. Take the estimator mean, or remove less"
    ]


def _not_told_apart(clouds: PhotoClouds, estimate: Estimate) -> list[str]:
    if min(len(clouds.well_lit.paths), len(clouds.backlit.paths)) < HANDFUL:
        return []
    found = held_out_separation(estimate, clouds)
    if found is None:
        return [
            "the photos of a folder show fewer than three scenes (photos of one name or of "
            "equal contents are one), so none can be held out to test the residual vector"
        ]
    if found >= CHANCE:
        return []
    return [
        f"the residual vector does not tell backlit photos from well-lit ones that it has not "
        f"seen: AUC {found:.2f}, where 0.5 is chance and 1 is best. Guidance by it will teach "
        "nothing. Are the right folders named, and does this CLIP know light?"
    ]


def _contents(photos: PhotoEmbeddings) -> set[str]:
    """Digests of the files, each once; the path of one without a digest."""
    pairs = zip(photos.digests, photos.paths, strict=True)
    return {digest or str(path) for digest, path in pairs}


def _in(photos: PhotoEmbeddings, digests: set[str]) -> NDArray[np.bool_]:
    """Which of the photos have one of these contents."""
    return np.array([digest in digests for digest in photos.digests])


def _swapped(clip: FrozenCLIP, well_lit: Tensor, backlit: Tensor) -> list[str]:
    """A vector always leads to the folder that is named well_lit, so words must tell."""
    try:
        bright, dark = embed_phrases(clip, _LIGHT).embeddings
    except TypeError:  # no text tower that texts can be told to
        return []
    found = separation(bright - dark, well_lit, backlit)
    if found >= SWAPPED or np.isnan(found):
        return []
    return [
        f"are the folders swapped? To CLIP, the photos in backlit look more like {_LIGHT[0]!r} and "
        f"those in well_lit more like {_LIGHT[1]!r} (AUC {found:.2f}, where 1 is as named). Name "
        "them the other way round; ignore this if the vector is not about light"
    ]
