"""PSNR and SSIM: how close a picture is to its ground truth, pixel by pixel."""

from collections.abc import Sequence

import cv2
from mmagic.evaluation.metrics.psnr import psnr
from mmagic.evaluation.metrics.ssim import ssim
from mmagic.registry import METRICS
from skimage.metrics import structural_similarity
from torch import Tensor

from rave_mm.evaluation.photo_metric import NotComputableError, PhotoMetric
from rave_mm.evaluation.pictures import hwc, swapped_gray

COLOURS = ("RGB", "swapped-gray")


class _InColour(PhotoMetric):
    """A metric that depends on the colour space.

    Args:
        colour: "RGB", or "swapped-gray" for the 8-bit gray of RAVE's published script
            (:func:`rave_mm.evaluation.pictures.swapped_gray`).
        eight_bit, gt_mean: As in `PhotoMetric`.

    Raises:
        ValueError: An unknown colour, or 8 bits asked for twice.
    """

    higher_is_better = True
    needs_truth = True

    def __init__(self, colour: str = "RGB", eight_bit: bool = False, gt_mean: bool = False) -> None:
        super().__init__(eight_bit, gt_mean)
        if colour not in COLOURS:
            raise ValueError(f"colour: got {colour!r}, expected one of {', '.join(COLOURS)}")
        if colour != "RGB" and eight_bit:
            raise ValueError(f"eight_bit: got True, expected False, since {colour} is 8 bits")
        self.colour = colour

    def qualities(self) -> Sequence[str]:
        """The colour."""
        return (self.colour,)


@METRICS.register_module()
class PhotoPSNR(_InColour):
    """Peak signal-to-noise ratio in dB, of each photo; the figure is the mean over photos.

    In RGB it is MMagic's, the error's mean taken over pixels and channels. In swapped gray it is
    OpenCV's, which gives 361 dB where MMagic's gives infinity: for equal pictures.

    Args:
        colour, eight_bit, gt_mean: As in `_InColour`.
    """

    metric = "PSNR"

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[float]:
        """PSNR of each picture."""
        assert truth is not None
        if self.colour == "swapped-gray":
            gray = swapped_gray(truth)
            return [float(cv2.PSNR(gray, swapped_gray(picture))) for picture in pictures]
        return [float(psnr(hwc(truth), hwc(picture))) for picture in pictures]


@METRICS.register_module()
class PhotoSSIM(_InColour):
    """Structural similarity of each photo; the figure is the mean over photos.

    In RGB it is MMagic's: the mean of the three channels', with Gaussian windows of 11 x 11,
    sigma 1.5, a range of 255, and only windows that lie wholly in the picture: the outermost 5
    pixels have none of their own. In swapped gray it is what RAVE's published script computes with
    scikit-image: uniform windows of 7 x 7, sample covariances, and for the range what the *result*
    spans.

    Args:
        colour, eight_bit, gt_mean: As in `_InColour`.
    """

    metric = "SSIM"

    def qualities(self) -> Sequence[str]:
        """The colour, and a window other than the usual one."""
        return (self.colour,) if self.colour == "RGB" else (self.colour, "uniform7")

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[float]:
        """SSIM of each picture."""
        assert truth is not None
        least = 11 if self.colour == "RGB" else 7
        if min(truth.shape[1:]) < least:
            raise NotComputableError(
                f"{truth.shape[2]}x{truth.shape[1]} pixels are less than its window of {least}",
                "Leave such photos out",
            )
        if self.colour == "RGB":
            return [float(ssim(hwc(truth), hwc(picture))) for picture in pictures]
        gray = swapped_gray(truth)
        values = []
        for picture in map(swapped_gray, pictures):
            span = int(picture.max()) - int(picture.min())
            values.append(float(structural_similarity(gray, picture, data_range=span)))
        return values
