import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.engine.phased_train_loop import (
    Phase,
    PhasedTrainLoop,
    phase_at,
    read_phases,
    timeline,
)

PHASES = [Phase("reconstruction", 3, ("same",)), Phase("guided", 2, ("light", "same"))]


LOSSES = {"same": 1.0, "light": 10.0}


class Recorder(BaseModel):
    """Notes at which step which losses were active; each has a value of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.active: tuple[str, ...] = ()
        self.seen: list[tuple[str, ...]] = []

    def activate_losses(self, names: tuple[str, ...]) -> None:
        if not set(names) <= set(LOSSES):
            raise ValueError(f"losses: got {names}, expected some of {list(LOSSES)}")
        self.active = names

    def forward(
        self, inputs: torch.Tensor, data_samples: Any = None, mode: str = "tensor"
    ) -> dict[str, torch.Tensor]:
        self.seen.append(self.active)
        return {f"loss_{name}": (0 * self.weight + LOSSES[name]).sum() for name in self.active}


def make_runner(tmp_path: Any, phases: list[dict[str, Any]], **settings: Any) -> Runner:
    return Runner(
        model=settings.pop("model", None) or Recorder(),
        work_dir=str(tmp_path),
        train_dataloader={
            "batch_size": 2,
            "dataset": [{"inputs": torch.ones(1)} for _ in range(4)],
            "sampler": {"type": "InfiniteSampler", "shuffle": True},
            "collate_fn": {"type": "default_collate"},
        },
        train_cfg={"type": "PhasedTrainLoop", "phases": phases},
        optim_wrapper={"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}},
        default_hooks={
            "checkpoint": {"type": "CheckpointHook", "interval": 2, "by_epoch": False},
            "logger": {"type": "LoggerHook", "interval": 1, "log_metric_by_epoch": False},
        },
        log_processor={"type": "LogProcessor", "window_size": 50, "by_epoch": False},
        visualizer={"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]},
        default_scope="mmagic",
        experiment_name=f"{tmp_path.name}-{len(list(tmp_path.iterdir()))}",
        **settings,
    )


def as_config(phases: list[Phase]) -> list[dict[str, Any]]:
    return [{"name": p.name, "iterations": p.iterations, "losses": list(p.losses)} for p in phases]


@pytest.mark.parametrize(
    ("iteration", "name"),
    [(0, "reconstruction"), (2, "reconstruction"), (3, "guided"), (4, "guided"), (9, "guided")],
)
def test_phase_of_an_iteration(iteration: int, name: str) -> None:
    assert phase_at(PHASES, iteration).name == name


def test_timeline() -> None:
    assert timeline(PHASES).split("\n") == [
        "        0 -       3  reconstruction: same",
        "        3 -       5  guided: light + same",
    ]


def test_each_step_has_the_losses_of_its_phase(tmp_path: Any) -> None:
    runner = make_runner(tmp_path, as_config(PHASES))
    runner.train()
    assert runner.iter == 5
    assert runner.model.seen == [("same",)] * 3 + [("light", "same")] * 2


def logged(runner: Runner) -> list[dict[str, float]]:
    """The losses of each iteration, as they are on disk."""
    lines = (Path(runner.log_dir) / "vis_data" / "scalars.json").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name.startswith("loss")}
        for line in lines
    ]


def test_a_loss_is_logged_only_in_its_phases_and_averaged_within_one(tmp_path: Any) -> None:
    phases = [Phase("first", 3, ("light",)), Phase("second", 2, ("same",))]
    runner = make_runner(tmp_path, as_config(phases))
    runner.train()
    assert (
        logged(runner) == [{"loss": 10, "loss_light": 10}] * 3 + [{"loss": 1, "loss_same": 1}] * 2
    )


def test_resuming_inside_a_phase_goes_on_in_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = make_runner(tmp_path, as_config(PHASES))
    runner.train()
    monkeypatch.setitem(LOSSES, "light", 20.0)
    resumed = make_runner(
        tmp_path, as_config(PHASES), resume=True, load_from=str(tmp_path / "iter_4.pth")
    )
    resumed.train()
    assert resumed.model.seen == [("light", "same")]
    # Averaged with the iteration of this phase before the checkpoint.
    assert logged(resumed)[-1:] == [{"loss": 16, "loss_light": 15, "loss_same": 1}]


ONE = {"name": "a", "iterations": 2, "losses": ["same"]}


@pytest.mark.parametrize(
    ("phases", "told"),
    [
        ([], "got .* expected at least one, each with iterations >= 1"),
        ([{**ONE, "iterations": 0}], "got .* expected at least one, each with iterations >= 1"),
        ([{**ONE, "iterations": 2.5}], "got .* expected at least one, each with iterations >= 1"),
        (
            [{**ONE, "lr": 1}],
            "got .* keys name, iterations, losses, lr, expected name, iterations, losses",
        ),
        (
            [{"name": "a", "losses": ["same"]}],
            "got .* keys name, losses, expected name, iterations",
        ),
        ([{**ONE, "losses": "same"}], "got losses='same', expected a list of names"),
        ([ONE, ONE], r"got the names \['a', 'a'\], expected each name once"),
    ],
)
def test_a_wrong_schedule_is_refused(phases: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ValueError, match=f"phases: {told}"):
        read_phases(phases)


def test_an_unknown_loss_of_a_late_phase_is_told_before_training(tmp_path: Any) -> None:
    runner = make_runner(tmp_path, [ONE, {"name": "late", "iterations": 2, "losses": ["lihgt"]}])
    with pytest.raises(ValueError, match="phase 'late': losses: got .*lihgt.*expected some of"):
        runner.train()
    assert runner.model.seen == []


def test_a_model_without_phases_is_refused(tmp_path: Any) -> None:
    class Other(Recorder):
        activate_losses = property()

    with pytest.raises(TypeError, match="got a Other, expected a model that has activate_losses"):
        make_runner(tmp_path, [ONE], model=Other()).train()


def test_registered() -> None:
    from mmagic.registry import LOOPS

    assert LOOPS.get("PhasedTrainLoop") is PhasedTrainLoop
