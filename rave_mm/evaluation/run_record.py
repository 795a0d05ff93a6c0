"""The hook that watches a test and writes down what it found."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, broadcast_object_list, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from rave_mm.evaluation.outcome import Figure, PhotoRow, TestOutcome
from rave_mm.evaluation.outcome_files import write_outcome
from rave_mm.evaluation.photo_metric import (
    Measured,
    NotComputableError,
    PhotoMetric,
    model_device,
)
from rave_mm.evaluation.provenance import PhotoFiles, checkpoint_sha256, look_at_files, versions
from rave_mm.evaluation.showcase import Shown, gain, jpeg, long_side, merged, sortable_gain
from rave_mm.runtime.file_hash import file_sha256


class RecordTest(Hook):
    """Writes ``report.json``, ``photos.csv`` and ``report.html`` into the work directory.

    Before the test it drops metrics that cannot be computed, and says so; and it warns of photos
    that are there twice. Every process needs one.

    Args:
        protocol: The protocol's name.
        metrics: The configs of its metrics, for the record.
        config: The config's name, for the record.
        checkpoint: The checkpoint's path or address.

    Attributes:
        outcome: After the test, in the main process.
        not_computed: Metrics without a figure, by name.
    """

    priority = "LOWEST"  # after the hooks that log

    def __init__(
        self, protocol: str, metrics: Sequence[Mapping[str, Any]], config: str, checkpoint: str
    ) -> None:
        self.protocol = protocol
        self.metric_configs = [dict(metric) for metric in metrics]
        self.config = config
        self.checkpoint = checkpoint
        self.outcome: TestOutcome | None = None
        self.not_computed: dict[str, NotComputableError] = {}
        self._files: PhotoFiles | None = None
        self._paths: list[str] = []
        self._shown: list[Shown] = []
        self._started = 0.0

    def before_run(self, runner: Runner) -> None:
        """Drop what cannot be computed, before the checkpoint is loaded."""
        evaluator, dataset = runner.test_loop.evaluators[0], runner.test_loop.dataloaders[0].dataset
        items = [dataset.get_data_info(index) for index in range(len(dataset))]
        self._paths = [str(item["img_path"]) for item in items]
        has_truth = all("gt_path" in item for item in items)
        if not has_truth:
            _expect_no_truth(runner)
        model = getattr(runner.model, "module", runner.model)
        self.not_computed = find_problems(evaluator.metrics, has_truth, model_device(model))
        for name, problem in self.not_computed.items():
            print_log(f"{name} cannot be computed: {problem}", "current", logging.WARNING)
        evaluator.metrics[:] = [m for m in evaluator.metrics if m.name not in self.not_computed]
        if is_main_process():
            truths = [Path(item["gt_path"]) for item in items] if has_truth else []
            self._files = look_at_files([Path(item["img_path"]) for item in items], truths)
            for names in self._files.equal:
                print_log(
                    f"{' and '.join(names)} are of equal content: the figures count that photo "
                    f"{len(names)} times",
                    "current",
                    logging.WARNING,
                )

    def before_test(self, runner: Runner) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Keep small pictures of the photos before and after."""
        outputs = outputs or ()
        leading = next((m for m in runner.test_loop.evaluators[0].metrics if m.per_photo), None)
        measured = leading.results[-len(outputs) :] if leading else [None] * len(outputs)
        side = long_side(len(self._paths))
        for sample, found in zip(outputs, measured, strict=True):
            value = 0.0
            if leading and found:
                gained = _gains(leading, found[1])
                value = sortable_gain(gained[2] if gained else None)
            before, after = jpeg(sample.input, side), jpeg(sample.output.pred_img, side)
            truth = jpeg(sample.gt_img, side) if "gt_img" in sample else None
            self._shown.append(Shown(value, str(sample.img_path), before, after, truth))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Gather from all processes, and write."""
        computed: list[PhotoMetric] = runner.test_loop.evaluators[0].metrics
        for metric in computed:
            if metric.problem:
                self.not_computed[metric.name] = metric.problem
                print_log(
                    f"{metric.name} was not computed: {metric.problem}", "current", logging.WARNING
                )
        parts = all_gather_object(
            (self._shown, {metric.name: metric.seconds for metric in computed})
        )
        if not is_main_process():
            return
        shown = merged(part for part, _ in parts)
        seconds = {
            metric.name: round(sum(spent[metric.name] for _, spent in parts), 3)
            for metric in computed
        }
        # Without a metric MMagic's loop runs no photo, and each still has its line.
        paths = sorted({p for metric in computed for p in metric.photos} or self._paths)
        names = short_names(paths)
        self.outcome = TestOutcome(
            protocol=self.protocol,
            figures=_figures(computed, metrics or {}),
            not_computed={
                name: {"reason": problem.reason, "remedy": problem.remedy}
                for name, problem in self.not_computed.items()
            },
            rows=[PhotoRow(names[path], _row(computed, path)) for path in paths],
            facts=self._facts(runner, computed, seconds),
        )
        leading = next((metric.name for metric in computed if metric.per_photo), None)
        write_outcome(Path(runner.work_dir), self.outcome, shown, leading, names)

    def _facts(
        self, runner: Runner, computed: Sequence[PhotoMetric], seconds: dict[str, float]
    ) -> dict[str, Any]:
        files = self._files
        assert files is not None
        dataset = runner.test_loop.dataloaders[0].dataset
        return {
            "metrics": self.metric_configs,
            "photos": {
                "count": len(dataset),
                "folders": dict(dataset.data_prefix),
                **asdict(files),
                "left_out": list(getattr(dataset, "left_out", [])),
            },
            "config": self.config,
            "checkpoint": {"file": self.checkpoint, "sha256": checkpoint_sha256(self.checkpoint)},
            "weights": {
                metric.name: {"file": metric.weights.name, "sha256": file_sha256(metric.weights)}
                for metric in computed
                if metric.weights
            },
            "versions": versions(),
            "device": str(model_device(runner.model)),
            "processes": get_world_size(),
            "seconds": {"whole": round(time.perf_counter() - self._started, 3), "metrics": seconds},
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }


def find_problems(
    metrics: Sequence[PhotoMetric], has_truth: bool, device: Any
) -> dict[str, NotComputableError]:
    """Which metrics cannot be computed, by name; the others are loaded.

    The main process looks first, so that no two fetch the same file. All return the same.
    """
    problems: dict[str, NotComputableError] = {}
    if is_main_process():
        for metric in metrics:
            try:
                metric.check(has_truth)
            except NotComputableError as problem:
                problems[metric.name] = problem
    shared = [problems]
    broadcast_object_list(shared)
    problems = shared[0]
    for metric in metrics:
        if metric.name not in problems:
            try:
                metric.start(device)
            except NotComputableError as problem:
                problems[metric.name] = problem
    everywhere = all_gather_object(problems)
    found = {name: problem for part in everywhere for name, problem in part.items()}
    return {metric.name: found[metric.name] for metric in metrics if metric.name in found}


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """The file name of each path; the paths themselves where two names are equal."""
    names = {path: Path(path).name for path in paths}
    return names if len(set(names.values())) == len(names) else {path: path for path in paths}


def _figures(metrics: Sequence[PhotoMetric], found: Mapping[str, float]) -> dict[str, Figure]:
    figures = {}
    for metric in metrics:
        if metric.name in found:
            result, photo = found[metric.name], found[f"input/{metric.name}"]
            better = "higher" if metric.higher_is_better else "lower"
            gained = gain(result, photo, metric.higher_is_better)
            figures[metric.name] = Figure(result, photo, gained, better)
    return figures


def _gains(metric: PhotoMetric, measured: Measured) -> tuple[float, float, float] | None:
    if measured.problem:
        return None
    gained = gain(measured.result, measured.input, metric.higher_is_better)
    return measured.result, measured.input, gained


def _row(metrics: Sequence[PhotoMetric], path: str) -> dict[str, tuple[float, float, float] | None]:
    return {m.name: _gains(m, m.photos[path]) for m in metrics if m.per_photo}


def _expect_no_truth(runner: Runner) -> None:
    """Keep MMagic from saying of every photo that it has no ground truth."""
    model = getattr(runner.model, "module", runner.model)
    keys = model.data_preprocessor.data_keys
    model.data_preprocessor.data_keys = [key for key in keys if key != "gt_img"]
    shown = getattr(runner.visualizer, "img_keys", None)
    if shown:
        runner.visualizer.img_keys = [key for key in shown if key != "gt_img"]
