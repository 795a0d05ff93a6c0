"""The lessons of the bundled CLIP.

Photographs under every light, each with what a caption would say of it. A lesson is a crop of a
well-lit photo whose light is changed by a known number of stops in the foreground and in the
background, or which is harmed in a way that an enhancer could harm it (cast, contrast, patches,
nothing left at all). The label is a distribution over :data:`CAPTIONS` that moves smoothly with
the stops, because a guide that only knows four classes has no gradient between them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rave_mm.datasets.shadows import foreground_mask, smooth_noise
from rave_mm.datasets.synthetic_backlight import FloatArray, linear_to_srgb, srgb_to_linear

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
HARMS = (
    "a photo with a red cast",
    "a photo with a green cast",
    "a photo with a blue cast",
    "a photo with a cyan cast",
    "a photo with a magenta cast",
    "a photo with a yellow cast",
    "a photo with harsh contrast",
    "a faded photo without contrast",
    "a photo with patchy light",
    "a blank white picture",
    "a blank black picture",
    "a blank picture of one colour",
    "a picture of noise",
    "a negative of a photo",
)
#: How often a lesson is harmed in each way; the others are about light alone.
HARM_SHARES = {"blank": 0.06, "cast": 0.24, "contrast": 0.18, "patches": 0.06, "negative": 0.05}


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
#: All captions about light: first the grid of foreground by background levels, then the harms.
CAPTIONS = tuple(lighting_caption(f, b) for f in range(_COUNT) for b in range(_COUNT)) + HARMS


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


def harm_label(caption: str, severity: float, otherwise: FloatArray) -> FloatArray:
    """Mix the label of a harm with the label of the photo's light.

    ``severity`` is 0 (none) to 1 (all).
    """
    label = (1 - severity) * otherwise
    label[CAPTIONS.index(caption)] += severity
    return label


@dataclass
class Lesson:
    """One picture and what is to be said of it."""

    image: NDArray[np.uint8]
    """(S, S, 3) RGB."""
    label: FloatArray
    """(len(CAPTIONS),), sum 1."""
    has_content: bool
    """Whether what the photo shows can still be told."""


def random_crop(photo: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a crop of 40 to 100% of each side, mirrored at times, and squeeze it into a square.

    It is reduced to ``size`` with one of the interpolations that losses and preprocessing use.
    """
    height, width = photo.shape[:2]
    scale, aspect = rng.uniform(0.4, 1), np.exp2(rng.uniform(-0.4, 0.4))
    short = min(height, width)
    rows = min(height, int(short * scale * aspect) + 1)
    columns = min(width, int(short * scale / aspect) + 1)
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    crop = photo[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    interpolation = (cv2.INTER_AREA, cv2.INTER_LINEAR)[int(rng.integers(2))]
    resized = cv2.resize(np.ascontiguousarray(crop), (size, size), interpolation=interpolation)
    return resized.astype(np.uint8, copy=False)


def _draw_light(rng: np.random.Generator) -> tuple[float, float]:
    """Stops of foreground and background: well-lit, one exposure, backlit, or anything."""
    kind = rng.random()
    if kind < 0.25:
        foreground, background = rng.normal(0, 0.12, 2)
        return float(foreground), float(background)
    if kind < 0.45:
        return (ev := float(rng.uniform(-5, 3.5)), ev)
    if kind < 0.7:
        return float(rng.uniform(-4.5, -0.4)), float(rng.uniform(-0.3, 0.6))
    return float(rng.uniform(-4.5, 3)), float(rng.uniform(-2.5, 3))


def _relight(
    linear: FloatArray,
    mask: FloatArray,
    light: tuple[float, float],
    patches: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Apply a light of (foreground, background) stops.

    By a shorter exposure or as an enhancer would.
    """
    height, width = linear.shape[:2]
    stops = light[0] * mask + light[1] * (1 - mask)
    if patches:
        stops = stops + patches * smooth_noise(height, width, int(rng.integers(4, 13)), rng)
    if rng.random() < 0.5:
        return linear_to_srgb(linear * np.exp2(stops)[..., None])
    # An enhancer divides the *encoded* backlit photo by a light map: the backlit photo is darker by
    # `taken` stops than the result, and carries noise that the division amplifies.
    taken = rng.uniform(0, 3) * mask
    backlit = linear_to_srgb(linear * np.exp2(stops - taken)[..., None])
    backlit = backlit + rng.normal(0, rng.uniform(0, 0.004), backlit.shape).astype(np.float32)
    return np.clip(backlit * np.exp2(taken / 2.2)[..., None], 0, 1)


def _cast(
    srgb: FloatArray, rng: np.random.Generator, label: FloatArray
) -> tuple[FloatArray, FloatArray]:
    hue = int(rng.integers(6))
    severity = float(rng.uniform(0.2, 1))
    stops = np.full(3, -0.9 * severity, np.float32)
    stops[[hue] if hue < 3 else [c for c in range(3) if c != hue - 3]] = 0.5 * severity
    return linear_to_srgb(srgb_to_linear(srgb) * np.exp2(stops)), harm_label(
        HARMS[hue], min(1.0, 1.25 * severity), label
    )


def _contrast(
    srgb: FloatArray, rng: np.random.Generator, label: FloatArray
) -> tuple[FloatArray, FloatArray]:
    severity = float(rng.uniform(0.2, 1))
    pivot = rng.uniform(0.3, 0.7)
    if rng.random() < 0.65:
        stretched = pivot + (srgb - pivot) * (1 + 7 * severity**2)
        return np.clip(stretched, 0, 1), harm_label("a photo with harsh contrast", severity, label)
    return pivot + (srgb - pivot) * (1 - 0.85 * severity), harm_label(
        "a faded photo without contrast", severity, label
    )


def _blank(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    caption = HARMS[9 + int(rng.integers(4))]
    colour: float | FloatArray = {"white": 1.0, "black": 0.0}.get(caption.split()[2], 0.5)
    if caption.endswith("one colour"):
        colour = rng.uniform(0.05, 0.95, 3).astype(np.float32)
    spread = rng.uniform(0.1, 0.4) if caption.endswith("noise") else rng.choice([0, 0.01, 0.03])
    image = np.clip(colour + spread * rng.standard_normal((size, size, 3)), 0, 1).astype(np.float32)
    return image, harm_label(caption, 1.0, np.zeros(len(CAPTIONS), np.float32))


def _compose(
    photo: NDArray[np.uint8], other: NDArray[np.uint8], size: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, bool]:
    """A crop in linear light, where its foreground is, and whether that is from another photo.

    At times the foreground is cut out of another photo, so that the edge of the shadow is the edge
    of a thing, as it is in real backlight.
    """
    mask = foreground_mask(size, size, rng)
    crop = random_crop(photo, size, rng).astype(np.float32)
    borrowed = rng.random() < 0.35
    if borrowed:
        sharp = np.clip((mask - 0.5) * 6 + 0.5, 0, 1)[..., None]
        crop = crop * (1 - sharp) + random_crop(other, size, rng) * sharp
    grey = crop.mean(2, keepdims=True)
    saturated = np.clip(grey + (crop - grey) * rng.uniform(0.5, 1.3), 0, 255)
    return srgb_to_linear(saturated.astype(np.float32) / 255), mask, borrowed


def lesson(
    photo: NDArray[np.uint8],
    other: NDArray[np.uint8],
    size: int,
    scene: np.random.Generator,
    rng: np.random.Generator,
    well_lit: bool = False,
) -> Lesson:
    """Draw one lesson from a well-lit photo.

    Args:
        photo: (H, W, 3) RGB, uint8.
        other: another such photo, which at times lends a foreground.
        size: side of the picture in pixels.
        scene: draws the crop and its foreground; the same state gives the same scene.
        rng: draws the light and the harm.
        well_lit: leave the photo as well-lit as it is.
    """
    harm = rng.choice(
        ["none", *HARM_SHARES], p=[1 - sum(HARM_SHARES.values()), *HARM_SHARES.values()]
    )
    if well_lit:
        harm = "none"
    if harm == "blank":
        image, label = _blank(size, rng)
        return Lesson(np.round(image * 255).astype(np.uint8), label, False)
    linear, mask, borrowed = _compose(photo, other, size, scene)
    well_lit |= harm == "negative" or (harm in ("cast", "contrast") and rng.random() < 0.65)
    light = (0.0, 0.0) if well_lit else _draw_light(rng)
    label = lighting_label(*light)
    patches = float(rng.uniform(0.3, 1.5)) if harm == "patches" else 0.0
    if patches:
        label = harm_label("a photo with patchy light", min(1.0, patches), label)
    if light[0] > light[1] and rng.random() < 0.5:
        mask = mask[::-1]
    srgb = _relight(linear, mask, light, patches, rng)
    if harm == "cast":
        srgb, label = _cast(srgb, rng, label)
    elif harm == "contrast":
        srgb, label = _contrast(srgb, rng, label)
    elif harm == "negative":
        srgb, label = 1 - srgb, harm_label("a negative of a photo", 1.0, label)
    has_content = not borrowed and max(light) > -3.5 and min(light) < 2
    return Lesson(np.round(srgb * 255).astype(np.uint8), label, has_content)
