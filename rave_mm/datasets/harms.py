"""What an enhancer can do to a photo that is no better light, and how far it goes.

A harm is a function of a picture, a severity and a generator. Pictures are (H, W, 3), float32,
RGB as sRGB encodes it, in [0, 1], and so are the results. A severity of 0.1 is barely visible, of
0.5 plain, of 1 gross. Lengths are shares of the picture's shorter side, but for what is a matter of
single pixels: sharpening, noise, blur.

The bundled CLIP is taught that all :data:`HARMS` are worse than the photo, and is tested with them
on other photographs. :data:`UNTAUGHT` it never sees in training: they tell whether it has learned
what a good photo looks like or a list of harms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rave_mm.datasets.shadows import FloatArray, foreground_mask, smooth_noise

Apply = Callable[[FloatArray, float, np.random.Generator], FloatArray]

CAST_NAMES = ("red", "yellow", "green", "cyan", "blue", "magenta")
"""The hues of a cast, each a sixth of a turn from the next."""


@dataclass(frozen=True)
class Harm:
    """One kind of harm."""

    caption: str
    apply: Apply


def _luma(picture: FloatArray) -> FloatArray:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)


def _blurred(picture: FloatArray, sigma: float) -> FloatArray:
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred.astype(np.float32, copy=False)


def _share(picture: FloatArray, low: float, high: float, rng: np.random.Generator) -> float:
    """A length in pixels, drawn as a share of the shorter side."""
    return float(rng.uniform(low, high)) * min(picture.shape[:2])


def _step(values: FloatArray, low: float, high: float) -> FloatArray:
    position = np.clip((values - low) / (high - low), 0, 1)
    return position * position * (3 - 2 * position)


def _bright_parts(picture: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(H, W, 1): 1 where it is bright around a pixel, 0 where it is dark."""
    around = _blurred(_luma(picture), max(0.5, _share(picture, 0.01, 0.08, rng)))
    return _step(around, 0.3, 0.75)[..., None]


def _clip(picture: NDArray[np.floating]) -> FloatArray:
    return np.clip(picture, 0, 1).astype(np.float32, copy=False)


def dim_highlights(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Darken what is bright: what a light map above 1 does."""
    return _clip(picture * (1 - 0.6 * severity * _bright_parts(picture, rng)))


def blow_highlights(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Brighten what is bright, until it clips."""
    return _clip(picture * (1 + 1.2 * severity * _bright_parts(picture, rng)))


def lift_shadows_too_far(
    picture: FloatArray, severity: float, rng: np.random.Generator
) -> FloatArray:
    """Brighten what is dark beyond what it was."""
    return _clip(picture * (1 + 1.6 * severity * (1 - _bright_parts(picture, rng)) ** 2))


def crush_blacks(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Make all that is dark black."""
    floor = 0.35 * severity
    return _clip((picture - floor) / (1 - floor))


def lift_blacks(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Leave nothing black."""
    floor = 0.45 * severity
    return _clip(floor + (1 - floor) * picture)


def flatten_contrast(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Bring all values towards their mean."""
    mean = picture.mean(dtype=np.float64)
    return _clip(mean + (picture - mean) * (1 - 0.85 * severity))


def harsh_contrast(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Stretch all values away from a middle."""
    pivot = rng.uniform(0.3, 0.7)
    return _clip(pivot + (picture - pivot) * (1 + 2 * severity + 4 * severity**3))


def veil(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Lay an even grey over all."""
    share = 0.7 * severity
    return _clip(picture * (1 - share) + np.float32(rng.uniform(0.4, 0.7) * share))


def haze(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Lay a bright bluish grey over all, more of it upwards, as distance does."""
    depth = np.linspace(1, rng.uniform(0, 0.6), picture.shape[0], dtype=np.float32)
    share: FloatArray = (0.85 * severity * depth)[:, None, None]
    air = np.array([0.78, 0.82, 0.86], np.float32)
    air += np.float32(rng.uniform(-0.08, 0.08))
    return _clip(picture * (1 - share) + air * share)


def flatten_light(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Make large parts equally bright, as a light map can that follows brightness alone."""
    around = _blurred(_luma(picture), _share(picture, 0.12, 0.4, rng)) + 0.02
    return _clip(picture * ((around.mean() / around) ** (0.9 * severity))[..., None])


def halos(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Leave a bright or dark seam beside edges, as a light map that does not follow them."""
    luma = _luma(picture)
    around = _blurred(luma, _share(picture, 0.02, 0.08, rng))
    return _clip(picture + (1.6 * severity * (luma - around))[..., None])


def patches(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Brighten and darken in patches that follow nothing."""
    height, width = picture.shape[:2]
    stops = 1.8 * severity * smooth_noise(height, width, int(rng.integers(3, 14)), rng)
    return _clip(picture * np.exp2(stops / 2.2)[..., None])


def dark_rims(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Leave the rim of a shadow dark, as a light map that lifts its middle alone."""
    height, width = picture.shape[:2]
    mask = foreground_mask(height, width, rng)
    stops = -3.5 * severity * 4 * mask * (1 - mask)
    return _clip(picture * np.exp2(stops / 2.2)[..., None])


def band(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Lay stripes over all, upright or level."""
    side = int(rng.integers(2))
    length = picture.shape[side]
    lines = smooth_noise(length, 1, max(4, int(length * rng.uniform(0.08, 0.5))), rng)[:, :1]
    lines = lines.reshape((-1, 1, 1) if side == 0 else (1, -1, 1))
    return _clip(picture + 0.15 * severity * lines)


def add_noise(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Add the grain of a dark photo that was lifted, grey or in colours."""
    channels = 1 if rng.random() < 0.4 else 3
    grain = rng.standard_normal((*picture.shape[:2], channels)).astype(np.float32)
    if rng.random() < 0.3:
        sigma = rng.uniform(0.5, 1.0)
        grain = _blurred(grain, sigma).reshape(grain.shape) * np.float32(3.5 * sigma)
    return _clip(picture + 0.2 * severity * grain)


def sharpen_too_far(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Sharpen until edges glitter."""
    detail = picture - _blurred(picture, rng.uniform(0.6, 1.6))
    return _clip(picture + 4 * severity * detail)


def blur(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Blur, by up to three pixels."""
    return _clip(_blurred(picture, 0.4 + 2.6 * severity))


def posterise(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Leave few levels: 17 at least severity, 3 at most."""
    steps = 2 + 14 * (1 - severity) ** 1.5
    shift = rng.uniform(-0.3, 0.3)
    return _clip((np.round(picture * steps + shift) - shift) / steps)


def desaturate(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Take colour away."""
    luma = _luma(picture)[..., None]
    return _clip(luma + (picture - luma) * (1 - severity))


def oversaturate(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Make colours garish."""
    luma = _luma(picture)[..., None]
    return _clip(luma + (picture - luma) * (1 + 2.5 * severity))


def tint(picture: FloatArray, severity: float, hue: float) -> FloatArray:
    """Give a cast of a hue, in turns: 0 is red, a sixth is yellow.

    Two thirds of a turn are blue.
    """
    angles = 2 * np.pi * (hue - np.arange(3) / 3)
    stops = 1.5 * severity * np.cos(angles)
    return _clip(picture * np.exp2(stops / 2.2).astype(np.float32))


def _cast(index: int) -> Apply:
    def apply(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
        return tint(picture, severity, (index + rng.uniform(-0.5, 0.5)) / len(CAST_NAMES))

    return apply


HARMS: Mapping[str, Harm] = {
    "dimmed highlights": Harm("a photo with dimmed highlights", dim_highlights),
    "blown highlights": Harm("a photo with blown highlights", blow_highlights),
    "shadows lifted too far": Harm("a photo with overly lifted shadows", lift_shadows_too_far),
    "crushed blacks": Harm("a photo with crushed blacks", crush_blacks),
    "lifted blacks": Harm("a photo with lifted blacks", lift_blacks),
    "flat contrast": Harm("a faded photo without contrast", flatten_contrast),
    "harsh contrast": Harm("a photo with harsh contrast", harsh_contrast),
    "grey veil": Harm("a photo behind a grey veil", veil),
    "haze": Harm("a hazy photo", haze),
    "flattened light": Harm("a photo with flattened light", flatten_light),
    "halos": Harm("a photo with halos", halos),
    "patchy light": Harm("a photo with patchy light", patches),
    "dark rims": Harm("a photo with dark rims", dark_rims),
    "banding": Harm("a photo with banding", band),
    "noise": Harm("a noisy photo", add_noise),
    "over-sharpening": Harm("an oversharpened photo", sharpen_too_far),
    "blur": Harm("a blurred photo", blur),
    "posterisation": Harm("a posterised photo", posterise),
    "desaturation": Harm("a photo without colour", desaturate),
    "oversaturation": Harm("a photo with garish colours", oversaturate),
    **{
        f"{name} cast": Harm(f"a photo with a {name} cast", _cast(index))
        for index, name in enumerate(CAST_NAMES)
    },
}
"""By name; what the bundled CLIP is taught."""


def vignette(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Darken towards the corners."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return _clip(picture * (1 - 0.6 * severity * np.minimum(1, (x * x + y * y) / 1.4))[..., None])


def glow(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Let bright parts shine over their surroundings."""
    bright = picture * _bright_parts(picture, rng)
    return _clip(picture + severity * _blurred(bright, _share(picture, 0.04, 0.1, rng)))


def jpeg(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Compress: quality 40 at least severity, 3 at most."""
    quality = int(round(40 - 37 * severity))
    levels = np.round(picture[..., ::-1] * 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    return decoded.astype(np.float32) / 255


def pixelate(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Leave large pixels, as a checkerboard of an upsampling network."""
    height, width = picture.shape[:2]
    side = 1 + 4 * severity
    small = cv2.resize(
        picture, (round(width / side), round(height / side)), interpolation=cv2.INTER_AREA
    )
    return _clip(np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)))


def turn_hues(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Turn all hues, by up to a quarter of a turn."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 90 * severity * (1 if rng.random() < 0.5 else -1)) % 360
    return _clip(np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)))


def equalise(picture: FloatArray, severity: float, rng: np.random.Generator) -> FloatArray:
    """Equalise the histogram in tiles (CLAHE)."""
    lab = cv2.cvtColor(np.round(picture * 255).astype(np.uint8), cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(2 + 8 * severity, (4, 4)).apply(lab[..., 0])
    equalised = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.float32) / 255
    return _clip(picture + severity * (equalised - picture))


UNTAUGHT: Mapping[str, Apply] = {
    "vignette": vignette,
    "glow": glow,
    "JPEG": jpeg,
    "pixelation": pixelate,
    "turned hues": turn_hues,
    "CLAHE": equalise,
}
"""By name; what the bundled CLIP is only tested with."""
