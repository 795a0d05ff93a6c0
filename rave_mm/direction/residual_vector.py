"""The residual vector.

From two folders of photos to one direction in CLIP space, kept with its provenance.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.direction.bias import bias_remover
from rave_mm.direction.clouds import PhotoClouds, embed_clouds
from rave_mm.direction.estimators import check_estimator, estimate_direction
from rave_mm.direction.sanity import Findings, check_clouds, check_vector
from rave_mm.functional import target_along
from rave_mm.runtime.array_file import read_npz
from rave_mm.runtime.whole_files import write_npz


@dataclass(frozen=True)
class Provenance:
    """Where a residual vector comes from."""

    clip: str
    """The CLIP's name."""
    clip_fingerprint: str
    """A hash of its weights and preprocessing."""
    well_lit: str
    """Folder of the well-lit photos."""
    backlit: str
    """Folder of the backlit photos."""
    well_lit_count: int
    backlit_count: int
    skipped: int
    """How many photos could not be read and were left out on request."""
    estimator: str
    """How the two clouds of embeddings were reduced to a direction."""
    date: str
    """When, ISO 8601, UTC."""
    removed: str = ""
    """What was taken out of the direction, in words; empty for nothing."""
    seed: int = 0
    """Of what was drawn."""
    photos: int | None = None
    """How many photos were drawn from each folder; None for all."""


@dataclass(frozen=True)
class ResidualVector:
    """RAVE's direction `v` with its target `t` (arXiv 2404.01889)."""

    vector: Tensor
    """(D,), unit length, float32, on the CPU."""
    target: float
    """The projection of the mean well-lit embedding on the vector."""
    provenance: Provenance

    def save(self, path: str | Path) -> None:
        """Write an .npz with `vector`, `target` and `provenance`; nothing is left half-written."""
        write_npz(
            Path(path),
            vector=self.vector.numpy(),
            target=np.float32(self.target),
            provenance=np.array(json.dumps(asdict(self.provenance))),
        )

    @classmethod
    def load(cls, path: str | Path) -> "ResidualVector":
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file holds no residual vector; it says what it holds.
        """
        try:
            values, target, told = read_npz(Path(path), "vector", "target", "provenance")
            vector = torch.from_numpy(values)
            if vector.ndim != 1 or vector.dtype != torch.float32 or not vector.isfinite().all():
                raise ValueError(f"got a vector {tuple(vector.shape)} of {vector.dtype}")
            return cls(vector, float(target), Provenance(**json.loads(str(told))))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is no residual vector: expected an .npz with vector, target and "
                f"provenance, as ResidualVector.save writes it ({error})"
            ) from error


def residual_from_folders(
    clip: FrozenCLIP,
    well_lit: str | Path,
    backlit: str | Path,
    on_unreadable: str = "error",
    estimator: str = "mean",
    remove_tokens: int = 0,
    remove_words: Sequence[str] = (),
    photos: int | None = None,
    seed: int = 0,
) -> ResidualVector:
    """RAVE's residual vector of two folders: `v = norm(p - n)`, `p` and `n` the normalised means.

    Or, by the settings, one that was estimated in another way, or with a bias taken out. What looks
    wrong with the photos or the vector is told (`rave_mm.direction.sanity`).

    Args:
        clip: the CLIP in whose space the vector lies.
        well_lit: folder of well-lit photos; for paired training, the ground truth. A pattern of
            file names may stand behind it, as `photos/[a-m]*`.
        backlit: folder of backlit photos, in the same way.
        on_unreadable: "error" to stop with a list of all photos that cannot be read, "skip" to go
            on without them.
        estimator: one of `rave_mm.direction.estimators.ESTIMATORS`; "mean" is the paper's.
        remove_tokens: n of the paper's token shift (section 4.1, n = 15), 0 for none.
        remove_words: words or phrases whose span is taken out of the vector.
        photos: how many photos to draw from each folder; None for all.
        seed: of what is drawn: the photos, k-means' first centres, the controls.

    Raises:
        FileNotFoundError, ValueError: folders without photos, photos that cannot be read (those of
            both folders are named), equal means, an unknown estimator, the same photos in both
            folders, or a target that is not above the backlit mean.
        TypeError: something is to be removed, but the CLIP has no text tower for it.
    """
    check_estimator(estimator)
    clouds = embed_clouds(clip, well_lit, backlit, on_unreadable, photos, seed)
    residual = residual_from_clouds(clip, clouds, estimator, remove_tokens, remove_words, seed)
    provenance = replace(
        residual.provenance, well_lit=str(well_lit), backlit=str(backlit), photos=photos
    )
    return replace(residual, provenance=provenance)


def residual_from_clouds(
    clip: FrozenCLIP,
    clouds: PhotoClouds,
    estimator: str = "mean",
    remove_tokens: int = 0,
    remove_words: Sequence[str] = (),
    seed: int = 0,
) -> ResidualVector:
    """:func:`residual_from_folders`, of photos that are embedded already."""
    _tell(check_clouds(clip, clouds))

    def estimate(well_lit: Tensor, backlit: Tensor) -> Tensor:
        return estimate_direction(estimator, well_lit, backlit, seed)

    remover = bias_remover(clip, remove_tokens, remove_words)
    unbiased = remover.after(estimate)
    sets = (clouds.well_lit.embeddings, clouds.backlit.embeddings)
    vector = unbiased(*sets)
    target = target_along(vector, sets[0])
    _tell(check_vector(clouds, vector, target, unbiased))
    provenance = Provenance(
        clip=clip.name,
        clip_fingerprint=clip.fingerprint,
        well_lit=str(clouds.well_lit.paths[0].parent),
        backlit=str(clouds.backlit.paths[0].parent),
        well_lit_count=len(sets[0]),
        backlit_count=len(sets[1]),
        skipped=clouds.skipped,
        estimator=estimator,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        removed=remover.description,
        seed=seed,
    )
    without = f", without {remover.description}" if remover.description else ""
    print_log(
        f"residual vector from {len(sets[0])} well-lit and {len(sets[1])} backlit photos"
        f"{without}: {estimator}, target {target:.4f}",
        "current",
    )
    return ResidualVector(vector, target, provenance)


def _tell(findings: Findings) -> None:
    for warning in findings.warnings:
        print_log(warning, "current", logging.WARNING)
    if findings.errors:
        raise ValueError("; ".join(findings.errors))
