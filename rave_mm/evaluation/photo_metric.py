"""What the metrics have in common: a figure of each photo, of the result and of its input."""

import math
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmagic.evaluation.metrics.base_sample_wise_metric import BaseSampleWiseMetric
from mmengine.dist import all_gather_object
from torch import Tensor, nn
from torch.utils.data import DataLoader

from rave_mm.evaluation.pictures import match_mean, rgb_pictures, round_to_8_bits


class NotComputableError(RuntimeError):
    """A figure that cannot be had.

    Attributes:
        reason: Why, in words.
        remedy: What to do about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason}. {self.remedy}"


@dataclass(frozen=True)
class Measured:
    """What was measured of one photo.

    Attributes:
        result: Of the network's result.
        input: Of the photo as it was.
        problem: Why there is nothing, if so; then both are None.
    """

    result: Any
    input: Any
    problem: NotComputableError | None = None


class PhotoMetric(BaseSampleWiseMetric):
    """A metric of the result and, beside it, of the input.

    It measures each photo as MMagic's loops hand it over, keeps the photo's name with its values,
    and averages over all photos, sorted by path, in float64. So the figures do not depend on how
    many processes share the photos, nor on the photos that a sampler adds to give all processes
    equally many.

    The figures' keys are :attr:`name` and ``input/`` + :attr:`name`.

    Args:
        eight_bit: Whether the result is rounded to 8 bits first, as where a file of it is measured.
            Rounding changes neither the photo nor the ground truth, unless those files have 16.
        gt_mean: Whether result and input are scaled to the ground truth's mean first.

    Attributes:
        metric: The first part of its name.
        higher_is_better: As it says.
        needs_truth: Whether there is no figure without ground truth.
        per_photo: Whether each photo has a figure of its own.
        photos: After :meth:`evaluate`, what was measured, by path, sorted.
        problem: After :meth:`evaluate`, why there is no figure, or None.
        seconds: How long this process has spent on it.
        weights: The file of the weights it measures with, or None.
    """

    metric: str
    higher_is_better: bool
    needs_truth: bool
    per_photo = True
    default_prefix = ""  # where None makes MMEngine warn that there is none

    def __init__(self, eight_bit: bool = False, gt_mean: bool = False) -> None:
        super().__init__()
        if gt_mean and not self.needs_truth:
            raise ValueError(f"gt_mean: got True, but {self.metric} knows no ground truth")
        self.eight_bit = eight_bit
        self.gt_mean = gt_mean
        self.photos: dict[str, Measured] = {}
        self.problem: NotComputableError | None = None
        self.seconds = 0.0
        self.weights: Path | None = None
        self._started = False

    @property
    def name(self) -> str:
        """The metric and all that its values depend on, as ``LPIPS-alex``."""
        treated = ["8bit"] * self.eight_bit + ["GTmean"] * self.gt_mean
        return "-".join([self.metric, *self.qualities(), *treated])

    def qualities(self) -> Sequence[str]:
        """The parts of the name between the metric and what is done to pictures."""
        return ()

    @abstractmethod
    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[Any]:
        """Measure pictures of one photo.

        Args:
            pictures: (K, 3, H, W) RGB in [0, 255], float32: result and input.
            truth: (3, H, W), likewise; None where :attr:`needs_truth` is False.

        Returns:
            A value for each picture.

        Raises:
            NotComputableError: These pictures have none.
        """

    def check(self, has_truth: bool) -> None:
        """See before the start whether there will be a figure; files are fetched if they must be.

        Raises:
            NotComputableError: There will be none; it says why and what to do.
        """
        if self.needs_truth and not has_truth:
            raise NotComputableError(
                "there is no ground truth",
                "Test on pairs (BacklitPairs), or ask for metrics that do without: NIQE, MUSIQ",
            )
        self.find_files()

    def start(self, device: torch.device) -> None:
        """Load what it measures with, unless that is done.

        Args:
            device: Of the model that is tested.

        Raises:
            NotComputableError: That cannot be had.
        """
        if not self._started:
            self.find_files()
            self.load(device)
            self._started = True

    def find_files(self) -> None:
        """Find what it measures with; most need nothing.

        Raises:
            NotComputableError: A package or a file is missing.
        """

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """As MMagic's; called before the first photo."""
        super().prepare(module, dataloader)
        self.start(model_device(module))

    def load(self, device: torch.device) -> None:
        """Load what :meth:`find_files` found; most need nothing.

        Raises:
            NotComputableError: It is of no use.
        """

    @torch.no_grad()
    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Measure the photos of a batch."""
        started = time.perf_counter()
        self.results += [
            (str(sample["img_path"]), self._measured(sample)) for sample in data_samples
        ]
        self.seconds += time.perf_counter() - started

    def _measured(self, sample: dict[str, Any]) -> Measured:
        shown = {"result": sample["output"]["pred_img"], "input": sample["input"]}
        if self.needs_truth:
            shown["ground truth"] = sample["gt_img"]
        shapes = {name: tuple(picture.shape) for name, picture in shown.items()}
        if len(set(shapes.values())) > 1:
            raise ValueError(
                f"got pictures of {sample['img_path']} of shapes {shapes}, expected equal ones"
            )
        result, photo, *rest = rgb_pictures(shown.values())
        truth = rest[0] if rest else None
        pictures = torch.stack([round_to_8_bits(result) if self.eight_bit else result, photo])
        if self.gt_mean and truth is not None:
            pictures = torch.stack([match_mean(picture, truth) for picture in pictures])
        try:
            values = self.measure(pictures, truth)
            if self.per_photo and any(math.isnan(value) for value in values):
                raise NotComputableError("its value is not a number", "Look at this photo")
        except NotComputableError as problem:
            return Measured(None, None, problem)
        return Measured(*values)

    def evaluate(self) -> dict[str, float]:
        """Gather what all processes measured; every process returns the same figures.

        Raises:
            RuntimeError: Other photos were measured than the data set has.
        """
        self.photos = {}
        for measured in all_gather_object(self.results):
            self.photos.update(measured)
        self.photos = dict(sorted(self.photos.items()))
        self.results.clear()
        if len(self.photos) != self.size:
            raise RuntimeError(
                f"{self.name} measured {len(self.photos)} photos, expected the data set's "
                f"{self.size}: do two of its items have one img_path?"
            )
        problems = {path: found.problem for path, found in self.photos.items() if found.problem}
        try:
            if problems:
                path, problem = next(iter(problems.items()))
                raise NotComputableError(
                    f"{len(problems)} of {len(self.photos)} photos have none (first: {path}: "
                    f"{problem.reason})",
                    problem.remedy,
                )
            figures = self.summarise(
                [(found.result, found.input) for found in self.photos.values()]
            )
        except NotComputableError as problem:
            self.problem = problem
            return {}
        self.problem = None
        return dict(zip((self.name, f"input/{self.name}"), figures, strict=True))

    def summarise(self, values: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
        """The figures of all results and of all inputs, from each photo's values."""
        results, inputs = zip(*values, strict=True)
        return math.fsum(results) / len(values), math.fsum(inputs) / len(values)


def model_device(model: nn.Module) -> torch.device:
    """Where a model is."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
