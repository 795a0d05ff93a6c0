"""What the bundled CLIP can say about a photo's light: captions, their wordings, and labels.

The label of a picture is a distribution over :data:`CAPTIONS` that moves smoothly with the stops
and with the severity of a harm, because a guide that only knows classes has no gradient between
them.
"""

import numpy as np

from rave_mm.datasets.harms import HARMS
from rave_mm.datasets.shadows import FloatArray

#: Exposure levels in stops from well-lit, and the words for them.
LEVELS = (-4.2, -2.8, -1.4, 0.0, 0.9, 1.8, 3.0)
WORDS = (
    "almost black",
    "very dark",
    "dark",
    "well-lit",
    "slightly overexposed",
    "overexposed",
    "blown out",
)
_WELL_LIT = 3
_BACKLIT = {0: "a strongly backlit photo", 1: "a backlit photo", 2: "a slightly backlit photo"}
BLANKS = ("a blank white picture", "a blank black picture", "a blank picture of one colour")
NOISE = "a picture of noise"
NEGATIVE = "a negative of a photo"


def lighting_caption(foreground: int, background: int) -> str:
    """The caption for a foreground and a background at two of the :data:`LEVELS` (indices)."""
    if foreground == background:
        return f"{_with_article(WORDS[foreground])} photo"
    if background == _WELL_LIT and foreground in _BACKLIT:
        return _BACKLIT[foreground]
    kind = "backlit photo" if foreground < _WELL_LIT < background else "photo"
    front, back = _with_article(WORDS[foreground]), _with_article(WORDS[background])
    return f"a {kind} with {front} foreground and {back} background"


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'ao' else 'a'} {word}"


_COUNT = len(LEVELS)
#: All captions: first the grid of foreground by background levels, then the harms.
CAPTIONS = (
    *(lighting_caption(f, b) for f in range(_COUNT) for b in range(_COUNT)),
    *(harm.caption for harm in HARMS.values()),
    *BLANKS,
    NOISE,
    NEGATIVE,
)

_PHOTO = ("photo", "photograph", "picture", "image", "shot")
_SYNONYMS = {
    "well-lit": ("properly exposed", "evenly lit", "bright and clear", "good", "well exposed"),
    "backlit": ("contre-jour", "badly backlit"),
    "dark": ("underexposed", "dim", "gloomy"),
    "overexposed": ("too bright", "overly bright"),
    "blown out": ("glaring",),
    "hazy": ("foggy", "misty"),
    "noisy": ("grainy",),
    "blurred": ("blurry", "unsharp"),
    "oversharpened": ("overly sharp",),
    "garish": ("oversaturated", "gaudy"),
    "faded": ("dull", "flat"),
    "cast": ("tint",),
    "without colour": ("in black and white", "in grey"),
    "crushed blacks": ("blocked shadows",),
    "dimmed highlights": ("grey highlights", "dull bright parts"),
    "blown highlights": ("clipped highlights", "burnt-out bright parts"),
}


def worded(caption: str, rng: np.random.Generator) -> str:
    """One of the captions in one of its wordings; as it stands half of the time."""
    if rng.random() < 0.5:
        return caption
    for word, others in _SYNONYMS.items():
        if word in caption and rng.random() < 0.6:
            caption = caption.replace(word, str(rng.choice(others)), 1)
    if "photo" in caption:
        caption = caption.replace("photo", str(rng.choice(_PHOTO)), 1)
    bare = caption.removeprefix("an ").removeprefix("a ")
    words = bare.split(" ")
    if len(words) == 2 and rng.random() < 0.2:
        return words[0]  # "backlit" alone, as people type it, and as the residual vector is read
    return f"{'an' if bare[0] in 'aeiou' else 'a'} {bare}"


def lighting_label(foreground_ev: float, background_ev: float) -> FloatArray:
    """Spread a light of (foreground, background) stops bilinearly over the four nearest captions.

    Returns:
        (len(CAPTIONS),), non-negative, sum 1.
    """

    def weights(ev: float) -> FloatArray:
        position = np.interp(ev, LEVELS, np.arange(_COUNT))
        return np.maximum(0, 1 - np.abs(np.arange(_COUNT) - position)).astype(np.float32)

    label = np.zeros(len(CAPTIONS), np.float32)
    label[: _COUNT**2] = np.outer(weights(foreground_ev), weights(background_ev)).ravel()
    return label


def harm_label(caption: str, share: float, otherwise: FloatArray) -> FloatArray:
    """Mix the label of a harm with the label of the photo's light.

    ``share`` is 0 (none) to 1 (all).
    """
    label = (1 - share) * otherwise
    label[CAPTIONS.index(caption)] += share
    return label
