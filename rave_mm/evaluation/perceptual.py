"""LPIPS and FID: how close pictures are to their ground truth in the features of a network."""

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lpips
import numpy as np
import torch
from mmagic.evaluation.functional.inception_utils import TERO_INCEPTION_URL
from mmagic.evaluation.metrics.fid import FrechetInceptionDistance
from mmagic.registry import METRICS
from mmagic.utils import MMAGIC_CACHE_DIR
from PIL import Image
from torch import Tensor
from torchvision.transforms import functional as vision

from rave_mm.evaluation.lpips_weights import BACKBONES
from rave_mm.evaluation.metric_weights import (
    LOADING_ERRORS,
    READING_ERRORS,
    find_metric_weights,
    torch_hub_folder,
)
from rave_mm.evaluation.photo_metric import NotComputableError, PhotoMetric
from rave_mm.evaluation.pictures import hwc_8_bit, round_to_8_bits
from rave_mm.runtime.tensor_file import read_tensors

SCRIPT_SHORT_SIDE = 1024
_SOURCE = "https://download.pytorch.org/models/"
_LEAST_SIDE = 32
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@METRICS.register_module()
class PhotoLPIPS(PhotoMetric):
    """Learned perceptual image patch similarity (arXiv 1801.03924), version 0.1; less is better.

    The network, its linear layers and the distance are the package lpips's; the backbone's weights
    are torchvision's. Pictures are handed over as the package wants them, RGB in [-1, 1], whole.
    The ground truth's features are computed once for result and input.

    Args:
        backbone: "alex", "vgg" or "squeeze". They give different numbers.
        as_rave_script: Prepare pictures as RAVE's published script does: rounded to 8 bits, resized
            to a short side of 1024 (up or down, PIL's bilinear), and normalised with ImageNet's
            mean and deviation instead of to [-1, 1]. LPIPS was not calibrated for such values.
        eight_bit, gt_mean: As in `PhotoMetric`.

    Raises:
        ValueError: An unknown backbone, or 8 bits asked for twice.
    """

    metric = "LPIPS"
    higher_is_better = False
    needs_truth = True

    def __init__(
        self,
        backbone: str = "alex",
        as_rave_script: bool = False,
        eight_bit: bool = False,
        gt_mean: bool = False,
    ) -> None:
        super().__init__(eight_bit, gt_mean)
        if backbone not in BACKBONES:
            raise ValueError(f"backbone: got {backbone!r}, expected one of {', '.join(BACKBONES)}")
        if as_rave_script and eight_bit:
            raise ValueError("eight_bit: got True, expected False, since as_rave_script is 8 bits")
        self.backbone = backbone
        self.as_rave_script = as_rave_script
        self.network: torch.nn.Module | None = None

    def qualities(self) -> Sequence[str]:
        """The backbone, and how pictures are prepared if not as the package wants them."""
        script = ("imagenet", f"short{SCRIPT_SHORT_SIDE}") if self.as_rave_script else ()
        return (self.backbone, *script)

    def find_files(self) -> None:
        """Find the backbone's weights."""
        self.weights = find_metric_weights(_SOURCE + BACKBONES[self.backbone], torch_hub_folder())

    def load(self, device: torch.device) -> None:
        """Load the network, onto the device of the model that is tested."""
        assert self.weights is not None
        self.network = load_lpips(self.backbone, self.weights).to(device)

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[float]:
        """LPIPS of each picture."""
        assert truth is not None and self.network is not None
        if min(truth.shape[1:]) < _LEAST_SIDE:
            raise NotComputableError(
                f"{truth.shape[2]}x{truth.shape[1]} pixels are less than {_LEAST_SIDE}",
                "Leave such photos out",
            )
        device = next(self.network.parameters()).device
        prepare = _imagenet_input if self.as_rave_script else _symmetric_input
        # The package's subtraction broadcasts: the ground truth goes through the network once.
        values = self.network(prepare(pictures).to(device), prepare(truth[None]).to(device))
        return [float(value) for value in values.flatten()]


@functools.cache
def load_lpips(backbone: str, weights: Path) -> torch.nn.Module:
    """The package lpips's network, its backbone's weights read from a file of torchvision's.

    Metrics of the same settings share one.

    Args:
        backbone: One of :data:`BACKBONES`.
        weights: A state dict with the keys ``features.*``.

    Raises:
        NotComputableError: The file is none, or of another network.
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what the package asks torchvision
        # A random backbone, or the package would fetch the weights unasked.
        network = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    try:
        state = read_tensors(weights)
        # lpips cuts torchvision's `features` into slices and keeps the layers' numbers.
        wanted = {
            key: state["features." + key.partition(".")[2]] for key in network.net.state_dict()
        }
        network.net.load_state_dict(wanted)
    except LOADING_ERRORS as error:
        raise NotComputableError(
            f"{weights} holds no weights of {backbone} ({type(error).__name__})",
            f"Delete it and fetch {_SOURCE + BACKBONES[backbone]} again",
        ) from error
    return network.eval().requires_grad_(False)


def _symmetric_input(pictures: Tensor) -> Tensor:
    return pictures / 127.5 - 1


def _imagenet_input(pictures: Tensor) -> Tensor:
    prepared = []
    for picture in pictures:
        photo = vision.resize(Image.fromarray(hwc_8_bit(picture)), SCRIPT_SHORT_SIDE)
        prepared.append(vision.normalize(vision.to_tensor(photo), *_IMAGENET))
    return torch.stack(prepared)


@METRICS.register_module()
class PhotoFID(PhotoMetric):
    """Fréchet inception distance between all pictures and all ground truths; less is better.

    Network (StyleGAN2-ADA's Inception, which resizes pictures itself) and distance are MMagic's,
    whose own FID metric draws its pictures from noise and knows no inputs. Features have 2048
    components: with fewer photos than that the covariances are of low rank and the figure is
    biased upwards, so only compare figures of equal counts. Pictures are rounded to 8 bits, which
    the network takes.
    """

    metric = "FID-inception2015"
    higher_is_better = False
    needs_truth = True
    per_photo = False

    def __init__(self) -> None:
        super().__init__()
        self.network: Any = None

    def find_files(self) -> None:
        """Find the Inception network."""
        self.weights = find_metric_weights(TERO_INCEPTION_URL, Path(MMAGIC_CACHE_DIR))

    def load(self, device: torch.device) -> None:
        """Load the network, onto the device of the model that is tested."""
        assert self.weights is not None
        try:
            self.network = torch.jit.load(str(self.weights), map_location=device).eval()
        except READING_ERRORS as error:
            raise NotComputableError(
                f"{self.weights} is no TorchScript network ({type(error).__name__})",
                f"Delete it and fetch {TERO_INCEPTION_URL} again",
            ) from error
        self.device = str(device)

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[Any]:
        """The features of each picture, each with those of the ground truth."""
        assert truth is not None
        three = round_to_8_bits(torch.cat([pictures, truth[None]])).to(torch.uint8)
        features = self.network(three.to(self.device), return_features=True)
        result, photo, real = features.double().cpu().numpy()
        return [(result, real), (photo, real)]

    def summarise(self, values: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
        """The distance of all results, and of all inputs."""
        if len(values) < 2:
            raise NotComputableError("one photo has no covariance", "Test on two photos or more")
        results, inputs = (
            frechet_distance(
                np.stack([found for found, _ in pairs]), np.stack([real for _, real in pairs])
            )
            for pairs in zip(*values, strict=True)
        )
        return results, inputs


def frechet_distance(found: np.ndarray, real: np.ndarray) -> float:
    """The Fréchet distance between Gaussians that are fitted to two sets of features, MMagic's.

    ``|m - n|^2 + tr(A + B - 2 (A B)^(1/2))``.

    Args:
        found: (N, D), N at least 2.
        real: (M, D), M at least 2.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how MMagic calls SciPy
        distance, _, _ = FrechetInceptionDistance._calc_fid(
            found.mean(0), np.cov(found, rowvar=False), real.mean(0), np.cov(real, rowvar=False)
        )
    return float(distance)
