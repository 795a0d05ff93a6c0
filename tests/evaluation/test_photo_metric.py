"""What metrics have in common: names kept, padding dropped, sorted means, and what has no value."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from mmagic.evaluation import Evaluator
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.evaluation import photo_metric
from rave_mm.evaluation.photo_metric import Measured, NotComputableError, PhotoMetric


class Mean(PhotoMetric):
    """The first channel's mean, red's."""

    metric = "Mean"
    higher_is_better = True
    needs_truth = False

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[float]:
        return [float(picture[0].mean()) for picture in pictures]


class Distance(Mean):
    metric = "Distance"
    needs_truth = True

    def measure(self, pictures: Tensor, truth: Tensor | None) -> Sequence[float]:
        assert truth is not None
        return [float((picture - truth).abs().mean()) for picture in pictures]


def sample(name: str, red: float, truth: float | None = None) -> dict[str, Any]:
    """As MMagic hands it over: BGR, the input of half the result's red."""

    def bgr(value: float) -> Tensor:
        return torch.tensor([7.0, 8.0, value]).view(3, 1, 1).expand(3, 4, 4)

    found = {"img_path": name, "output": {"pred_img": bgr(red)}, "input": bgr(red / 2)}
    return found if truth is None else {**found, "gt_img": bgr(truth)}


def prepared(metric: PhotoMetric, size: int) -> PhotoMetric:
    class Model(nn.Module):
        data_preprocessor = None

    class Loader:
        dataset = range(size)

    metric.prepare(Model(), Loader())
    return metric


def test_figures_of_result_and_input_with_names() -> None:
    metric = prepared(Mean(), 3)
    for name, red in (("c", 30.0), ("a", 10.0), ("b", 50.0)):
        metric.process(None, [sample(name, red)])
    assert metric.evaluate() == {"Mean": 30.0, "input/Mean": 15.0}
    assert metric.photos == {"a": Measured(10, 5), "b": Measured(50, 25), "c": Measured(30, 15)}
    assert list(metric.photos) == ["a", "b", "c"]
    assert metric.seconds > 0 and not metric.results


def test_two_processes_give_the_mean_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sampler gives the first photo to both, to have equally many; it counts once."""
    whole = prepared(Mean(), 3)
    whole.process(
        None, [sample(name, red) for name, red in zip("abc", (0.1, 0.2, 0.7), strict=True)]
    )
    wanted = whole.evaluate()
    parts = [prepared(Mean(), 3) for _ in range(2)]
    parts[1].process(None, [sample("b", 0.2), sample("a", 0.1)])
    parts[0].process(None, [sample("a", 0.1), sample("c", 0.7)])
    monkeypatch.setattr(photo_metric, "all_gather_object", lambda own: [own, parts[1].results[:]])
    assert parts[0].evaluate() == wanted


def test_other_photos_than_the_data_set_has() -> None:
    metric = prepared(Mean(), 3)
    metric.process(None, [sample("a", 1.0), sample("a", 2.0)])
    with pytest.raises(RuntimeError, match="Mean measured 1 photos, expected the data set's 3"):
        metric.evaluate()


def test_a_photo_without_a_value_leaves_no_figure() -> None:
    metric = prepared(Mean(), 2)
    metric.process(None, [sample("a", 1.0), sample("b", math.nan)])
    assert metric.evaluate() == {}
    assert str(metric.problem).startswith("1 of 2 photos have none (first: b: its value is not a")
    assert metric.photos["a"].result == 1.0 and metric.photos["b"].result is None


def test_pictures_of_other_sizes_are_named() -> None:
    uneven = sample("photo.png", 1.0, truth=2.0)
    uneven["gt_img"] = uneven["gt_img"][:, :2]
    with pytest.raises(ValueError, match=r"photo\.png of shapes .*'ground truth': \(3, 2, 4\)"):
        prepared(Distance(), 1).process(None, [uneven])


def test_8_bits_and_the_mean_are_of_what_is_measured() -> None:
    metric = prepared(Mean(eight_bit=True), 1)
    metric.process(None, [sample("a", 10.6)])
    assert metric.evaluate() == {
        "Mean-8bit": 11.0,
        "input/Mean-8bit": pytest.approx(5.3),  # a photo is what its file holds
    }
    scaled = prepared(Distance(gt_mean=True), 1)
    same = sample("a", 60.0, truth=60.0)
    same["output"]["pred_img"] = same["gt_img"] / 3
    scaled.process(None, [same])
    assert scaled.evaluate()["Distance-GTmean"] == pytest.approx(0, abs=1e-5)


def test_what_needs_a_ground_truth_says_so() -> None:
    Mean().check(has_truth=False)
    with pytest.raises(NotComputableError, match="there is no ground truth"):
        Distance().check(has_truth=False)
    with pytest.raises(ValueError, match="Mean knows no ground truth"):
        Mean(gt_mean=True)


def test_mmagics_evaluator_shares_one_pass() -> None:
    """All metrics go with one pass over the photos."""
    init_default_scope("mmagic")
    evaluator = Evaluator([{"type": "PhotoPSNR"}, {"type": "PhotoSSIM"}, {"type": "PhotoNIQE"}])
    assert len(evaluator.prepare_samplers(None, [])) == 1
