"""How good enhancers are, on the sets of `tools/prepare_data.py enhancer`.

An enhancer is a function from a photograph to its result, both (H, W, 3) RGB, uint8.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.photos.folders import list_photos, pair_by_stem
from rave_mm.photos.reading import read_photo_8_bit

Picture: TypeAlias = NDArray[np.uint8]
Enhance: TypeAlias = Callable[[Picture], Picture]

# Of the long side of a picture, in which a halo would be, and beyond which there is none.
_NEAR, _FAR = 0.03, 0.1
_MOST_PSNR = 100.0


@dataclass(frozen=True)
class Quality:
    """How close pictures are to their ground truth.

    Attributes:
        psnr: In dB, of whole RGB pictures.
        ssim: Of whole RGB pictures, scikit-image's.
    """

    psnr: float
    ssim: float


def quality(picture: Picture, truth: Picture) -> Quality:
    """PSNR and SSIM of one picture, of 7 pixels a side or more."""
    similarity = structural_similarity(truth, picture, channel_axis=2)
    return Quality(psnr(picture, truth), float(similarity))


def psnr(picture: Picture, truth: Picture) -> float:
    """In dB, of a whole RGB picture; at most 100."""
    if np.array_equal(picture, truth):
        return _MOST_PSNR
    return min(_MOST_PSNR, float(peak_signal_noise_ratio(truth, picture, data_range=255)))


def qualities(folder: Path, enhancers: Mapping[str, Enhance]) -> Iterator[dict[str, Quality]]:
    """What each enhancer makes of each pair of a folder.

    Args:
        folder: With ``backlit`` and ``well-lit`` of the same names.
        enhancers: By their names.

    Yields:
        For each pair, the quality of each one's result.
    """
    for backlit, well_lit in pair_by_stem(folder / "backlit", folder / "well-lit").pairs:
        photo, truth = read_photo_8_bit(backlit), read_photo_8_bit(well_lit)
        yield {name: quality(enhance(photo), truth) for name, enhance in enhancers.items()}


def faithfulness(folder: Path, enhancers: Mapping[str, Enhance]) -> Iterator[dict[str, float]]:
    """PSNR of each result of photographs that need nothing to the photograph itself."""
    for path in list_photos(folder):
        photo = read_photo_8_bit(path)
        yield {name: psnr(enhance(photo), photo) for name, enhance in enhancers.items()}


@dataclass(frozen=True)
class Looks:
    """What can be told of pictures without a ground truth.

    Attributes:
        niqe: Natural image quality evaluator, MMagic's, on gray; less is better.
        clipped: Share of the pixels, 0 to 1, with a channel at full scale that had none before.
    """

    niqe: float
    clipped: float


def looks(folder: Path, enhancers: Mapping[str, Enhance]) -> Iterator[dict[str, Looks]]:
    """What each enhancer makes of each photograph of a folder, without a ground truth."""
    from mmagic.evaluation.metrics.niqe import niqe  # takes seconds

    for path in list_photos(folder):
        photo = read_photo_8_bit(path)
        found = {}
        for name, enhance in enhancers.items():
            result, meter = enhance(photo), FailureMeter()
            meter.add(photo / np.float32(255), result / np.float32(255))
            value = float(niqe(result[..., ::-1], 0, input_order="HWC", convert_to="gray"))
            found[name] = Looks(value, meter.signs().newly_clipped)
        yield found


def shadows_slider(photo: Picture) -> Picture:
    """What is done without a network: a gamma that is stronger the darker the surroundings.

    ``x ** (1 - 0.6 * (1 - b))`` with the blurred brightness ``b`` of the photograph: from 0.4 in
    the black to 1 in the white.
    """
    values = photo.astype(np.float32) / 255
    blurred = cv2.GaussianBlur(values.mean(2), (0, 0), max(1.0, 0.02 * max(photo.shape[:2])))
    enhanced = values ** (0.4 + 0.6 * blurred)[..., None]
    return np.round(enhanced * 255).astype(np.uint8)


def halo(enhance: Enhance, height: int = 1200, width: int = 1600) -> float:
    """How far an enhancer is from even beside strong edges, in levels of 255.

    Dark outlines against a bright sky, both of one colour each, are enhanced: a row of houses, a
    disc, and a pole. Where the result near an edge differs from the same side's colour far from
    edges, that is a glow or a dark rim.

    Args:
        enhance: The enhancer.
        height: Of the pictures.
        width: Likewise.

    Returns:
        The mean difference within 3% of the long side from an edge, over both sides and three
        pictures.
    """
    found = []
    for photo, dark in strong_edges(height, width):
        result = enhance(photo).mean(2)
        for side in (dark, ~dark):
            distance = cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5)
            # The pixel at the edge may be half of each.
            near = side & (distance > 1.5) & (distance < _NEAR * width)
            far = side & (distance > _FAR * width)
            plain = np.median(result[far] if far.any() else result[side])
            found.append(float(np.abs(result[near] - plain).mean()))
    return float(np.mean(found))


def strong_edges(height: int, width: int) -> Iterator[tuple[Picture, NDArray[np.bool_]]]:
    """Draw dark outlines against a bright sky: a row of houses, a disc, and a pole.

    Yields:
        Each picture (height, width, 3), of two colours, and where it is dark (height, width).
    """
    for dark in _outlines(height, width):
        yield np.where(dark[..., None], (26, 24, 22), (196, 206, 220)).astype(np.uint8), dark


def _outlines(height: int, width: int) -> Iterator[NDArray[np.bool_]]:
    rows, columns = np.mgrid[0:height, 0:width]
    roofs = height * 0.45 + height * 0.12 * np.abs((columns / width * 4) % 2 - 1)
    yield rows > roofs
    yield np.hypot(rows - height * 0.55, columns - width * 0.5) < height * 0.25
    yield np.abs(columns - width * 0.5) < width * 0.06
