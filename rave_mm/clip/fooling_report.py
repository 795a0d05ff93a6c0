"""How easily a guide is fooled: an adversarial test of what RAVE follows.

From each photograph come a backlit picture, the right picture, and one that a good enhancer would
give. The latter two are harmed in every way of :mod:`rave_mm.datasets.harms`. A guide that cannot
be fooled scores every harmed picture below what it was made from. Then the guide's own score is
climbed from the backlit picture: that shows what a network that follows nothing else would find.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.lighting_losses import climb
from rave_mm.datasets.harms import HARMS, UNTAUGHT, Apply
from rave_mm.datasets.shadows import FloatArray, smooth_noise
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.functional import residual_vector
from rave_mm.photos.folders import list_photos
from rave_mm.photos.reading import read_photo

SIDE = 96
"""Of the pictures, in pixels: the size of the demo's crops."""
SEVERITIES = (0.25, 0.5, 1.0)
SEEN = 0.01
"""RMS difference, in [0, 1], below which a harm left a picture as it was: it is not counted."""
CLIMB = (0, 4, 8, 16, 32)
"""After how many steps of climbing pictures are looked at; 0 are the backlit ones."""
_CELLS = 12
_STEP = 0.1
_BATCH = 64


def fooling_report(clip: FrozenCLIP, folder: Path) -> dict[str, Any]:
    """Try to fool a guide with the well-lit photographs of a folder.

    Args:
        clip: the CLIP, with a text tower.
        folder: well-lit photographs that it was not trained on.

    Returns:
        `photographs`; `backlit`: the share of photographs whose right picture, and whose enhanced
        one, score above the backlit one; `harms` and `untaught`: for each kind of harm and
        severity, the share of pictures (right and enhanced) that score above their harmed
        selves, along RAVE's residual vector of these photographs (`residual`) and as "a well-lit
        photo" (`words`); and `climbing`: mean PSNR in dB to the right picture of the backlit one
        and of what climbing the residual score makes of it, after so many steps.
    """
    squares = [_square(read_photo(path)) for path in list_photos(folder)]
    rng = np.random.default_rng(0)
    right = [square.astype(np.float32) / 255 for square in squares]
    backlit = [synthetic_backlight(square, rng).astype(np.float32) / 255 for square in squares]
    enhanced = [_enhanced(picture, rng) for picture in right]
    embedded = {
        name: _embed(clip, pictures)
        for name, pictures in (("right", right), ("backlit", backlit), ("enhanced", enhanced))
    }
    vector, _ = residual_vector(embedded["right"], embedded["backlit"])
    directions = {"residual": vector, "words": clip.embed_texts(["a well-lit photo"])[0]}

    originals = right + enhanced
    own = torch.cat([embedded["right"], embedded["enhanced"]])

    def shares_above(harms: Mapping[str, Apply]) -> dict[str, dict[str, dict[str, float]]]:
        return {
            name: {
                str(severity): _share_above(clip, originals, own, apply, severity, directions)
                for severity in SEVERITIES
            }
            for name, apply in harms.items()
        }

    return {
        "photographs": len(squares),
        "backlit": {
            way: {
                name: _mean(embedded[name] @ direction > embedded["backlit"] @ direction)
                for name in ("right", "enhanced")
            }
            for way, direction in directions.items()
        },
        "harms": shares_above({name: harm.apply for name, harm in HARMS.items()}),
        "untaught": shares_above(UNTAUGHT),
        "climbing": _climbing(clip, backlit, right, vector),
    }


def _square(photo: np.ndarray) -> np.ndarray:
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = photo[top : top + side, left : left + side]
    return cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _enhanced(right: FloatArray, rng: np.random.Generator) -> FloatArray:
    """What a good enhancer gives: off by a seventh of a stop here and there, and a little noisy."""
    stops = 0.15 * smooth_noise(SIDE, SIDE, 4, rng)
    grain = rng.normal(0, 0.008, right.shape)
    return np.clip(right * np.exp2(stops / 2.2)[..., None] + grain, 0, 1).astype(np.float32)


def _tensor(pictures: list[FloatArray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def _embed(clip: FrozenCLIP, pictures: list[FloatArray]) -> Tensor:
    return torch.cat([clip.embed(batch) for batch in _tensor(pictures).split(_BATCH)])


def _mean(these: Tensor) -> float:
    return round(these.float().mean().item(), 4)


def _share_above(
    clip: FrozenCLIP,
    originals: list[FloatArray],
    own: Tensor,
    apply: Apply,
    severity: float,
    directions: dict[str, Tensor],
) -> dict[str, float]:
    rng = np.random.default_rng(1)
    harmed = [apply(picture, severity, rng) for picture in originals]
    seen = torch.tensor(
        [
            float(np.sqrt(np.square(after - before).mean())) >= SEEN
            for before, after in zip(originals, harmed, strict=True)
        ]
    )
    others = _embed(clip, harmed)
    return {
        way: _mean((own @ direction > others @ direction)[seen])
        for way, direction in directions.items()
    }


def _climbing(
    clip: FrozenCLIP, backlit: list[FloatArray], right: list[FloatArray], vector: Tensor
) -> dict[str, float]:
    """Mean PSNR after so many steps."""

    def score(pictures: Tensor) -> Tensor:
        return clip.embed(pictures) @ vector

    sums = dict.fromkeys(CLIMB, 0.0)
    truths = _tensor(right).split(_BATCH)
    for starts, truth in zip(_tensor(backlit).split(_BATCH), truths, strict=True):
        ways = islice(climb(starts, score, _CELLS, 1, _STEP), CLIMB[-1] + 1)
        for steps, found in enumerate(ways):
            if steps in sums:
                error = (found - truth).square().mean((1, 2, 3))
                sums[steps] += float((-10 * error.log10()).sum())
    return {str(steps): round(total / len(right), 2) for steps, total in sums.items()}
