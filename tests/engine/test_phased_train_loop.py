from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.engine.phased_train_loop import Phase, PhasedTrainLoop, phase_at, timeline

PHASES = [Phase("reconstruction", 3, ("same",)), Phase("guided", 2, ("light", "same"))]


class Recorder(BaseModel):
    """Notes at which step which losses were active."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.active: tuple[str, ...] = ()
        self.seen: list[tuple[str, ...]] = []

    def activate_losses(self, names: tuple[str, ...]) -> None:
        self.active = names

    def forward(
        self, inputs: torch.Tensor, data_samples: Any = None, mode: str = "tensor"
    ) -> dict[str, torch.Tensor]:
        self.seen.append(self.active)
        return {"loss": (self.weight * inputs.float().mean()).sum()}


def make_runner(tmp_path: Any, phases: list[dict[str, Any]], **settings: Any) -> Runner:
    return Runner(
        model=Recorder(),
        work_dir=str(tmp_path),
        train_dataloader={
            "batch_size": 2,
            "dataset": [{"inputs": torch.ones(1)} for _ in range(4)],
            "sampler": {"type": "InfiniteSampler", "shuffle": True},
            "collate_fn": {"type": "default_collate"},
        },
        train_cfg={"type": "PhasedTrainLoop", "phases": phases},
        optim_wrapper={"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 2, "by_epoch": False}},
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


def test_resuming_inside_a_phase_goes_on_in_it(tmp_path: Any) -> None:
    runner = make_runner(tmp_path, as_config(PHASES))
    runner.train()
    resumed = make_runner(
        tmp_path, as_config(PHASES), resume=True, load_from=str(tmp_path / "iter_4.pth")
    )
    resumed.train()
    assert resumed.model.seen == [("light", "same")]


@pytest.mark.parametrize("phases", [[], [{"name": "a", "iterations": 0, "losses": ["x"]}]])
def test_a_schedule_without_iterations_is_refused(
    tmp_path: Any, phases: list[dict[str, Any]]
) -> None:
    with pytest.raises(
        ValueError, match="phases: got .* expected at least one, each with iterations >= 1"
    ):
        make_runner(tmp_path, phases).train()


def test_registered() -> None:
    from mmagic.registry import LOOPS

    assert LOOPS.get("PhasedTrainLoop") is PhasedTrainLoop
