"""The lessons of the bundled CLIP: one scene under good light, and what can go wrong with it.

A scene is a crop of a well-lit photo. Its first lesson is the scene as it is. The others are relit
by a known number of stops in the foreground and in the background, harmed (:mod:`.harms`), or both,
as a network would that enhances it. So lessons of a scene differ in nothing but their light, and
how far each is from the right picture is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from rave_mm.datasets.harms import HARMS
from rave_mm.datasets.lighting_captions import (
    BLANKS,
    CAPTIONS,
    NEGATIVE,
    NOISE,
    harm_label,
    lighting_label,
)
from rave_mm.datasets.shadows import SHADOWS
from rave_mm.datasets.synthetic_backlight import FloatArray, linear_to_srgb, srgb_to_linear

Photo = NDArray[np.uint8]

#: How often a foreground is of each kind of shadow.
_OUTLINES = {"region": 0.12, "segments": 0.12, "below_the_sky": 0.12, "room": 0.12, "ellipse": 0.52}
#: How often a lesson is of each kind, but for a scene's first.
KINDS = {
    "light": 0.28,
    "enhanced": 0.18,
    "harm": 0.3,
    "light and harm": 0.12,
    "harms": 0.08,
    "ruin": 0.04,
}
_RIGHT = (0.0, 0.0)


@dataclass
class Lesson:
    """One picture and what is to be said of it."""

    image: Photo
    """(S, S, 3) RGB."""
    label: FloatArray
    """(len(CAPTIONS),), sum 1."""
    has_content: bool
    """Whether what the photo shows can still be told."""


@dataclass
class Scene:
    """A crop under good light, and where its foreground is."""

    linear: FloatArray
    """(S, S, 3) RGB, linear light."""
    mask: FloatArray
    """(S, S), 1 in the foreground."""
    has_content: bool
    """Whether all of it is one photo."""


def random_crop(photo: Photo, size: int, rng: np.random.Generator) -> Photo:
    """Draw a crop of 35 to 100% of each side, mirrored at times, and squeeze it into a square.

    It is reduced to ``size`` with one of the interpolations that losses and preprocessing use.
    """
    height, width = photo.shape[:2]
    scale, aspect = rng.uniform(0.35, 1), np.exp2(rng.uniform(-0.4, 0.4))
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


def draw_scene(photo: Photo, other: Photo, size: int, rng: np.random.Generator) -> Scene:
    """Draw a scene from a well-lit photo.

    At times its foreground is cut out of another photo, so that the edge of the shadow is the edge
    of a thing, as it is in real backlight.
    """
    crop = random_crop(photo, size, rng)
    borrowed = rng.random() < 0.2
    kind = str(rng.choice(list(_OUTLINES), p=list(_OUTLINES.values())))
    mask = SHADOWS["ellipse" if borrowed else kind](crop, rng)
    values = crop.astype(np.float32)
    if borrowed:
        sharp = np.clip((mask - 0.5) * 6 + 0.5, 0, 1)[..., None]
        values = values * (1 - sharp) + random_crop(other, size, rng) * sharp
    return Scene(srgb_to_linear(values / np.float32(255)), mask, not borrowed)


def lessons_of(scene: Scene, count: int, rng: np.random.Generator) -> list[Lesson]:
    """Draw lessons of a scene: first the right picture, then others."""
    right = _lesson(linear_to_srgb(scene.linear), lighting_label(*_RIGHT), scene.has_content)
    kinds = rng.choice(list(KINDS), count - 1, p=list(KINDS.values()))
    return [right, *(_DRAW[str(kind)](scene, rng) for kind in kinds)]


def _lesson(srgb: FloatArray, label: FloatArray, has_content: bool) -> Lesson:
    return Lesson(np.round(srgb * 255).astype(np.uint8), label, has_content)


def _draw_light(rng: np.random.Generator) -> tuple[float, float]:
    """Stops of foreground and background: one exposure, backlit, or anything."""
    kind = rng.random()
    if kind < 0.3:
        return (ev := float(rng.uniform(-5, 3.5)), ev)
    if kind < 0.65:
        return float(rng.uniform(-4.5, -0.3)), float(rng.uniform(-0.3, 0.6))
    if kind < 0.8:
        # What an enhancer leaves: a little too dark here, a little too bright there.
        return float(rng.uniform(-1.2, 0.8)), float(rng.uniform(-1.2, 0.5))
    return float(rng.uniform(-4.5, 3)), float(rng.uniform(-2.5, 3))


def _relit(scene: Scene, light: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    """A scene under a light of (foreground, background) stops, as sRGB.

    By a shorter exposure or as an enhancer would.
    """
    stops = light[0] * scene.mask + light[1] * (1 - scene.mask)
    if rng.random() < 0.5:
        return linear_to_srgb(scene.linear * np.exp2(stops)[..., None])
    # An enhancer divides the *encoded* backlit photo by a light map: the backlit photo is darker by
    # `taken` stops than the result, and carries noise that the division amplifies.
    taken = rng.uniform(0, 3) * scene.mask
    backlit = linear_to_srgb(scene.linear * np.exp2(stops - taken)[..., None])
    backlit = backlit + rng.normal(0, rng.uniform(0, 0.004), backlit.shape).astype(np.float32)
    return np.clip(backlit * np.exp2(taken / 2.2)[..., None], 0, 1).astype(np.float32)


def _light(scene: Scene, rng: np.random.Generator) -> Lesson:
    light = _draw_light(rng)
    told = scene.has_content and max(light) > -3.5 and min(light) < 2
    return _lesson(_relit(scene, light, rng), lighting_label(*light), told)


def _enhanced(scene: Scene, rng: np.random.Generator) -> Lesson:
    """A backlit scene that an enhancer lifted, but not where or not as far as light was lost."""
    taken = rng.uniform(0.5, 4) * scene.mask
    backlit = linear_to_srgb(scene.linear * np.exp2(-taken)[..., None])
    backlit = np.clip(backlit + rng.normal(0, rng.uniform(0, 0.004), backlit.shape), 0, 1)
    fault = rng.random()
    if fault < 0.35:  # It lifts the middle of the shadow and leaves its rim.
        lifted = taken * scene.mask ** rng.uniform(1, 5)
    elif fault < 0.65:  # It does not follow the shadow's outline.
        sigma = rng.uniform(0.02, 0.25) * len(taken)
        lifted = np.asarray(cv2.GaussianBlur(taken, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))
    else:  # It lifts whatever is dark, as a slider for shadows does.
        lifted = rng.uniform(0.5, 4) * (1 - backlit.max(2)) ** rng.uniform(1, 4)
    lifted = rng.uniform(0.6, 1.2) * lifted
    left = lifted - taken
    srgb = np.clip(backlit * np.exp2(lifted / 2.2)[..., None], 0, 1).astype(np.float32)
    front, back = (
        float(np.average(left, weights=part + 1e-6)) for part in (scene.mask, 1 - scene.mask)
    )
    return _lesson(srgb, lighting_label(front, back), scene.has_content)


def _harmed(
    srgb: FloatArray, label: FloatArray, count: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    for name in rng.choice(list(HARMS), count, replace=False):
        severity = float(rng.uniform(0.05, 1)) ** 1.3
        harm = HARMS[str(name)]
        srgb = harm.apply(srgb, severity, rng)
        label = harm_label(harm.caption, min(1.0, 1.3 * severity), label)
    return srgb, label


def _harm(scene: Scene, rng: np.random.Generator, count: int = 1) -> Lesson:
    srgb, label = _harmed(linear_to_srgb(scene.linear), lighting_label(*_RIGHT), count, rng)
    return _lesson(srgb, label, scene.has_content)


def _light_and_harm(scene: Scene, rng: np.random.Generator) -> Lesson:
    light = float(rng.uniform(-2.5, 0.6)), float(rng.uniform(-0.8, 0.5))
    srgb, label = _harmed(_relit(scene, light, rng), lighting_label(*light), 1, rng)
    return _lesson(srgb, label, scene.has_content)


def _ruin(scene: Scene, rng: np.random.Generator) -> Lesson:
    """Nothing is left of the photo, or its negative."""
    caption = str(rng.choice([*BLANKS, NOISE, NEGATIVE]))
    label = harm_label(caption, 1.0, np.zeros(len(CAPTIONS), np.float32))
    if caption == NEGATIVE:
        return _lesson(1 - linear_to_srgb(scene.linear), label, scene.has_content)
    colour = {BLANKS[0]: np.ones(3), BLANKS[1]: np.zeros(3)}.get(
        caption, rng.uniform(0.05, 0.95, 3)
    )
    spread = rng.uniform(0.1, 0.4) if caption == NOISE else rng.choice([0, 0.01, 0.03])
    image = colour + spread * rng.standard_normal(scene.linear.shape)
    return _lesson(np.clip(image, 0, 1).astype(np.float32), label, False)


_DRAW: dict[str, Callable[[Scene, np.random.Generator], Lesson]] = {
    "light": _light,
    "enhanced": _enhanced,
    "harm": _harm,
    "light and harm": _light_and_harm,
    "harms": partial(_harm, count=2),
    "ruin": _ruin,
}
