"""Where light is lost: masks of the shadows that a photograph gets.

Each kind is a function of a photograph and a generator. The mask is (H, W), float32, 1 where all of
the shadow's light is lost and 0 where none is.

A network learns the outlines of the shadows that it is trained on by heart. So there are several
kinds, and most of them follow the outlines of what the photograph shows.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Photo = NDArray[np.uint8]
Shadow = Callable[[Photo, np.random.Generator], FloatArray]

# Outlines are sought on pictures of at most so many pixels a side: more takes long, and finds
# texture.
_OUTLINE_SIDE = 160
# Nor in what is smaller than this, where nothing has an outline.
_SMALLEST_OUTLINE = 8


def smooth_noise(height: int, width: int, cells: int, rng: np.random.Generator) -> FloatArray:
    """Standard normal values on a cells x cells grid, enlarged to (height, width).

    The interpolation is cubic.
    """
    grid = rng.standard_normal((cells, cells)).astype(np.float32)
    enlarged = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return enlarged.astype(np.float32, copy=False)


def foreground_mask(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Draw a soft-edged foreground in the lower centre of a picture.

    An ellipse of random place and size, its outline disturbed by smooth noise, so that it looks
    like a person, a tree or a house in front of the light rather than like a lens.

    Returns:
        (height, width) in [0, 1]: 1 in the foreground, 0 in the background.
    """
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    centre_x, centre_y = rng.uniform(0.3, 0.7), rng.uniform(0.55, 0.9)
    radius_x, radius_y = rng.uniform(0.25, 0.55), rng.uniform(0.3, 0.6)
    distance = np.sqrt(((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2)
    outline = distance + rng.uniform(0.05, 0.25) * smooth_noise(
        height, width, int(rng.integers(4, 9)), rng
    )
    softness = rng.uniform(0.03, 0.12)
    return (1 / (1 + np.exp(np.clip((outline - 1) / softness, -30, 30)))).astype(np.float32)


def ellipse(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """A soft foreground in the lower centre, whatever the photograph shows there."""
    return foreground_mask(photo.shape[0], photo.shape[1], rng)


def region(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """What hangs together with a point in the lower centre and has its colour (k-means)."""
    small = np.asarray(cv2.GaussianBlur(_reduced(photo), (0, 0), 1.0), np.uint8)
    height, width = small.shape[:2]
    if min(height, width) < _SMALLEST_OUTLINE:
        return ellipse(photo, rng)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    colour = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    points = np.column_stack([colour, 60 * x.ravel(), 60 * y.ravel()])
    cv2.setRNGSeed(int(rng.integers(2**31)))
    enough = (cv2.TERM_CRITERIA_MAX_ITER, 8, 0.0)
    clusters = int(rng.integers(3, 8))
    start = np.zeros((len(points), 1), np.int32)
    _, labels, _ = cv2.kmeans(points, clusters, start, enough, 1, cv2.KMEANS_PP_CENTERS)
    # Backlight darkens what stands on the ground: the sky is chosen least.
    low = np.bincount(labels.ravel(), y.ravel()) / np.bincount(labels.ravel()).clip(min=1)
    weights = low**2 / np.sum(low**2)
    chosen = rng.choice(len(low), int(rng.integers(1, 3)), p=weights)
    return _along_edges(_tidied(np.isin(labels.reshape(height, width), chosen), 5), photo)


def cut_out(photo: Photo, box: tuple[float, float, float, float]) -> FloatArray:
    """The thing in a box of a photograph, along its own outline (GrabCut, Rother et al. 2004).

    Args:
        photo: (H, W, 3) RGB.
        box: Left, top, width and height, as parts of the photograph's width and height.

    Returns:
        Its mask; all 0 where nothing stands out from what is around the box.
    """
    small = _reduced(photo, 384)
    height, width = small.shape[:2]
    left, top = round(box[0] * width), round(box[1] * height)
    size = round(box[2] * width), round(box[3] * height)
    found = np.zeros((height, width), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, found, (left, top, *size), *models, 8, cv2.GC_INIT_WITH_RECT)
    return _along_edges(_tidied(found == cv2.GC_PR_FGD, 7), photo)


def segments(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """Some of the photograph's superpixels (SLIC, Achanta et al. 2012), most of them in a patch."""
    # SciPy's clustering, which it imports, takes half a second: not for who draws no segments.
    from skimage.segmentation import slic

    small = _reduced(photo)
    labels = slic(small, int(rng.integers(12, 70)), compactness=8, start_label=0)
    height, width = labels.shape
    field = foreground_mask(height, width, rng) * 2 - 1
    field += rng.uniform(0.2, 1.0) * smooth_noise(height, width, int(rng.integers(3, 7)), rng)
    counts = np.maximum(np.bincount(labels.ravel()), 1)
    means = np.bincount(labels.ravel(), field.ravel()) / counts
    return _along_edges((means[labels] > 0).astype(np.float32), photo)


def below_the_sky(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """All but what is bright and reaches the upper edge; without that, all below a line."""
    small = _reduced(photo)
    light = cv2.GaussianBlur(small.max(2), (0, 0), 1.5)
    threshold, _ = cv2.threshold(light, 0, 255, cv2.THRESH_OTSU)
    _, labels = cv2.connectedComponents((light > max(threshold, 110)).astype(np.uint8))
    sky = np.isin(labels, np.unique(labels[0])) & (labels > 0)
    if not 0.08 < sky.mean() < 0.85:
        height, width = light.shape
        rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        line = rng.uniform(0.25, 0.65) + 0.05 * smooth_noise(height, width, 5, rng)
        softness = rng.uniform(0.01, 0.1)
        mask = 1 / (1 + np.exp(np.clip((line - rows) / softness, -30, 30)))
        return _along_edges(mask.astype(np.float32), photo, soften=False)
    return _along_edges(1 - sky.astype(np.float32), photo)


def room(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """All but a window or three."""
    height, width = photo.shape[:2]
    mask = np.ones((height, width), np.float32)
    across = rng.uniform(0.12, 0.4)
    for _ in range(int(rng.integers(1, 4))):
        left, top = rng.uniform(0, 1 - across), rng.uniform(0, 0.4)
        corners = np.array(
            [[left, top], [left + across, top], [left + across, top], [left, top]], np.float64
        )
        corners[2:, 1] += rng.uniform(0.2, 0.6)
        corners += rng.uniform(-0.03, 0.03, corners.shape)
        cv2.fillPoly(mask, [np.round(corners * (width, height)).astype(np.int32)], [0.0])
    softness = max(0.3, rng.uniform(0.001, 0.02) * max(height, width))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), softness), np.float32)


def everywhere(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """All of the photograph, more or less."""
    height, width = photo.shape[:2]
    return (1 - rng.uniform(0, 0.15) * np.abs(smooth_noise(height, width, 3, rng))).clip(0, 1)


def mixed(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """Two shadows of other kinds, one of them lighter."""
    first, second = rng.choice(np.array([ellipse, region, segments, below_the_sky]), 2)
    return np.maximum(first(photo, rng), rng.uniform(0.3, 0.8) * second(photo, rng))


def nowhere(photo: Photo, rng: np.random.Generator) -> FloatArray:
    """Nothing: a photograph that needs nothing."""
    return np.zeros(photo.shape[:2], np.float32)


SHADOWS: Mapping[str, Shadow] = {
    "ellipse": ellipse,
    "region": region,
    "segments": segments,
    "below_the_sky": below_the_sky,
    "room": room,
    "everywhere": everywhere,
    "mixed": mixed,
    "nowhere": nowhere,
}
"""The kinds of shadow by their names."""


def _reduced(photo: Photo, side: int = _OUTLINE_SIDE) -> Photo:
    scale = side / max(photo.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(photo)
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    reduced = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return reduced.astype(np.uint8, copy=False)


def _tidied(inside: NDArray[np.bool_], closing: int) -> FloatArray:
    """A mask without its specks, and without holes of fewer than `closing` pixels across."""
    mask = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((closing, closing)))
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3))).astype(np.float32)


def _along_edges(mask: FloatArray, photo: Photo, soften: bool = True) -> FloatArray:
    """Enlarge a mask to its photograph's size; steps become slopes of about a pixel."""
    height, width = photo.shape[:2]
    if soften:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.7), np.float32)
    enlarged = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    return enlarged.astype(np.float32, copy=False).clip(0, 1)
