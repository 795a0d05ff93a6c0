"""NIQE and MUSIQ: figures that need no ground truth."""

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmagic.evaluation.metrics.niqe import niqe
from mmagic.registry import METRICS
from torch import Tensor

from rave_mm.evaluation.metric_weights import LOADING_ERRORS, find_metric_weights
from rave_mm.evaluation.photo_metric import NotComputableError, PhotoMetric
from rave_mm.evaluation.pictures import hwc, unit_range

MUSIQ_WEIGHTS = (
    "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/"
    "musiq_koniq_ckpt-e95806b9.pth"
)
_BLOCK = 96


@METRICS.register_module()
class PhotoNIQE(PhotoMetric):
    """Natural image quality evaluator, MMagic's, on gray; less is better.

    Its parameters are part of MMagic. It compares statistics of blocks of 96 x 96 with those of
    undistorted photos, and needs two blocks at least; of a few its figure says little. Not all
    implementations agree: others take Y instead of gray.

    MMagic's own metric asks for a ground truth that NIQE has no use for; its function does not.

    Args:
        eight_bit: As in `PhotoMetric`. NIQE rounds gray values in any case.
    """

    metric = "NIQE"
    higher_is_better = False
    needs_truth = False

    def __init__(self, eight_bit: bool = False) -> None:
        super().__init__(eight_bit)

    def qualities(self) -> Sequence[str]:
        """The colour."""
        return ("gray",)

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[float]:
        """NIQE of each picture."""
        height, width = pictures.shape[2:]
        if (height // _BLOCK) * (width // _BLOCK) < 2:
            raise NotComputableError(
                f"{width}x{height} pixels have less than two blocks of {_BLOCK}x{_BLOCK}",
                "Leave such photos out",
            )
        values = []
        for picture in pictures:
            bgr = hwc(picture)[..., ::-1]
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore", RuntimeWarning)
                    value = niqe(bgr, crop_border=0, input_order="HWC", convert_to="gray")
            except np.linalg.LinAlgError as error:
                raise NotComputableError(
                    f"its statistics are degenerate, as of flat pictures ({error})",
                    "Look at this photo",
                ) from error
            values.append(float(value))
        return values


@METRICS.register_module()
class PhotoMUSIQ(PhotoMetric):
    """Multi-scale image quality transformer (arXiv 2108.05997), trained on KonIQ-10k.

    It is pyiqa's, an optional extra; in [0, 100], more is better. Pictures are RGB in [0, 1],
    whole.

    Args:
        eight_bit: As in `PhotoMetric`.
    """

    metric = "MUSIQ"
    higher_is_better = True
    needs_truth = False

    def __init__(self, eight_bit: bool = False) -> None:
        super().__init__(eight_bit)
        self.network: Any = None

    def qualities(self) -> Sequence[str]:
        """The data set that it was trained on."""
        return ("koniq",)

    def find_files(self) -> None:
        """Find pyiqa and its weights."""
        if importlib.util.find_spec("pyiqa") is None:
            raise NotComputableError(
                "the package pyiqa is not installed",
                "Install it beside the rest: python -m pip install -c requirements/constraints.txt "
                "-r requirements/core.txt -r requirements/train.txt -r requirements/metrics.txt",
            )
        self.weights = find_metric_weights(MUSIQ_WEIGHTS, Path(torch.hub.get_dir()) / "pyiqa")

    def load(self, device: torch.device) -> None:
        """Load the network, onto the device of the model that is tested."""
        deterministic = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
        try:
            import pyiqa

            with contextlib.redirect_stdout(io.StringIO()):  # it prints where it loads from
                self.network = pyiqa.create_metric(
                    "musiq", device=device, pretrained_model_path=str(self.weights)
                )
        except ImportError as error:
            raise NotComputableError(
                f"the package pyiqa is installed and does not import ({error})",
                "Install the version of requirements/metrics.txt",
            ) from error
        except LOADING_ERRORS as error:
            raise NotComputableError(
                f"{self.weights} holds no weights of MUSIQ ({type(error).__name__})",
                f"Delete it and fetch {MUSIQ_WEIGHTS} again",
            ) from error
        finally:
            # pyiqa sets both for the whole process.
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = deterministic
        self.device = str(device)

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[float]:
        """MUSIQ of each picture."""
        inputs = unit_range(pictures).to(self.device)
        return [float(value) for value in self.network(inputs).flatten()]
