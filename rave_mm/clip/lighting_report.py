"""How well a CLIP knows light.

Accuracy on held-out photographs, and whether harmed pictures fool it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.datasets.harms import HARMS
from rave_mm.datasets.lighting_captions import CAPTIONS
from rave_mm.datasets.synthetic_backlight import (
    linear_to_srgb,
    srgb_to_linear,
    synthetic_backlight,
)
from rave_mm.functional import residual_vector
from rave_mm.photos.folders import list_photos
from rave_mm.photos.reading import read_photo

#: The four classes: every caption that the bundled CLIP learned for one light.
CLASSES = {
    "backlit": tuple(caption for caption in CAPTIONS if "backlit" in caption),
    "dark": tuple(f"{word} photo" for word in ("a dark", "a very dark", "an almost black")),
    "well-lit": ("a well-lit photo",),
    "overexposed": tuple(
        f"{word} photo" for word in ("a slightly overexposed", "an overexposed", "a blown out")
    ),
}


def _expose(photo: NDArray[np.uint8], stops: float) -> NDArray[np.uint8]:
    linear = srgb_to_linear(photo.astype(np.float32) / 255) * np.exp2(stops)
    return np.round(linear_to_srgb(linear.astype(np.float32)) * 255).astype(np.uint8)


def lighting_versions(
    photo: NDArray[np.uint8], rng: np.random.Generator
) -> dict[str, NDArray[np.uint8]]:
    """One picture of each class from a well-lit photo (H, W, 3), uint8."""
    return {
        "backlit": synthetic_backlight(photo, rng),
        "dark": _expose(photo, -rng.uniform(1.5, 4)),
        "well-lit": photo,
        "overexposed": _expose(photo, rng.uniform(1.5, 3)),
    }


def harmed_versions(
    photo: NDArray[np.uint8], rng: np.random.Generator
) -> dict[str, NDArray[np.uint8]]:
    """What an enhancer must not be praised for: grossly harmed versions, and nothing at all."""
    picture = photo.astype(np.float32) / np.float32(255)
    harmed = {name: harm.apply(picture, 1.0, rng) for name, harm in HARMS.items()}
    return {
        "white": np.full_like(photo, 255),
        "grey": np.full_like(photo, 179),
        "black": np.zeros_like(photo),
        "only noise": rng.integers(0, 256, photo.shape, dtype=np.uint8),
        "negative": np.invert(photo),
        **{name: np.round(values * 255).astype(np.uint8) for name, values in harmed.items()},
    }


@torch.no_grad()
def _embed(clip: FrozenCLIP, pictures: list[NDArray[np.uint8]]) -> Tensor:
    return clip.embed_prepared(
        torch.stack([clip.prepare_photo(Image.fromarray(p)) for p in pictures])
    )


def lighting_report(clip: FrozenCLIP, folder: Path, versions: int = 4) -> dict[str, Any]:
    """Test a CLIP on the well-lit photographs of a folder.

    Args:
        clip: the CLIP, with a text tower.
        folder: well-lit photographs that it was not trained on.
        versions: how often each is relit.

    Returns:
        `photographs`; `accuracy` over all and by class (each picture is given the class whose
        nearest caption is nearest); `harmed`: for each harm, the share of photographs called
        well-lit among all captions; `farther`: for each class and harm, the share of pictures that
        are less "a well-lit photo" than the photograph they were made from; and `guidance`: RAVE's
        guidance loss, by class and harm, with the residual vector of these photographs; it should
        be least where they are well-lit.
    """
    photos = [read_photo(path) for path in list_photos(folder)]
    rng = np.random.default_rng(0)
    relit = [lighting_versions(photo, rng) for photo in photos for _ in range(versions)]
    by_class = {name: _embed(clip, [pictures[name] for pictures in relit]) for name in CLASSES}
    texts = {name: clip.embed_texts(captions) for name, captions in CLASSES.items()}
    accuracy = {}
    for index, (name, embeddings) in enumerate(by_class.items()):
        scores = torch.stack([(embeddings @ captions.T).amax(1) for captions in texts.values()], 1)
        accuracy[name] = round((scores.argmax(1) == index).float().mean().item(), 4)
    vector, target = residual_vector(by_class["well-lit"], by_class["backlit"])
    all_captions = clip.embed_texts(CAPTIONS)
    harmed = [harmed_versions(photo, rng) for photo in photos]
    by_harm = {name: _embed(clip, [pictures[name] for pictures in harmed]) for name in harmed[0]}
    well_lit = CAPTIONS.index("a well-lit photo")
    # `relit` holds all versions of a photograph one after the other, `harmed` one of each.
    well_lit_score = {name: e @ all_captions[well_lit] for name, e in (by_class | by_harm).items()}
    own = well_lit_score.pop("well-lit")
    return {
        "photographs": len(photos),
        "accuracy": {"all": round(sum(accuracy.values()) / len(accuracy), 4), **accuracy},
        "harmed": {
            name: round(((e @ all_captions.T).argmax(1) == well_lit).float().mean().item(), 4)
            for name, e in by_harm.items()
        },
        "farther": {
            name: round(
                (score < (own if name in by_class else own[::versions])).float().mean().item(), 4
            )
            for name, score in well_lit_score.items()
        },
        "guidance": {
            name: round((e @ vector - target).square().mean().item(), 4)
            for name, e in (by_class | by_harm).items()
        },
    }
