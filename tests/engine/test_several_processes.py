"""Two processes on a CPU do what one does with joint batches."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.engine.command_line import _find_unused_parameters
from tests.engine import joint_gradient
from tests.engine.joint_gradient import PHASES
from tests.processes import run_in_processes


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_the_joint_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = run_in_processes(2, joint_gradient.main, tmp_path / "two", "pytorch", 2)
    joint_gradient.main(tmp_path / "one", "none", 1)
    one = torch.load(tmp_path / "one" / "rank0.pth")
    first, second = (torch.load(tmp_path / "two" / f"rank{rank}.pth") for rank in (0, 1))
    # A restart, and phases that were prolonged: more than the 10 that were planned.
    assert one["iterations"] == first["iterations"] == second["iterations"] > 2 + 10
    for name, value in one["weights"].items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(first["weights"][name], value, rtol=1e-6, atol=1e-6, msg=name)
    for joint, *parts in zip(one["seen"], first["seen"], second["seen"], strict=True):
        together = torch.cat(parts)
        assert torch.equal(together[together[:, 1].argsort()], joint[joint[:, 1].argsort()])
    line = "several processes, and what trains is generator or pair: find_unused_parameters=True"
    assert line in told


def config(**settings: object) -> Config:
    return Config({"launcher": "pytorch", "train_cfg": {"phases": PHASES}, **settings})


def test_unused_parameters_are_looked_for_where_phases_differ_in_what_they_train() -> None:
    settings = config()
    assert _find_unused_parameters(settings) == ["generator", "pair"]
    assert settings.find_unused_parameters is True
    settings = config(model_wrapper_cfg={"type": "MMDistributedDataParallel"})
    _find_unused_parameters(settings)
    assert settings.model_wrapper_cfg.find_unused_parameters is True


def test_and_where_no_phase_trains_what_has_an_optimizer() -> None:
    settings = Config.fromfile(config_path("clip_lit/ablations/fixed_prompts"))
    settings.launcher = "pytorch"
    assert _find_unused_parameters(settings) == ["generator", "pair"]
    assert settings.find_unused_parameters is True


@pytest.mark.parametrize(
    "settings",
    [
        config(launcher="none"),
        config(find_unused_parameters=False),
        config(train_cfg={"phases": PHASES[:1]}),
        config(train_cfg={"phases": PHASES[:1]}, optim_wrapper={"optimizer": {"type": "Adam"}}),
        config(train_cfg=None),
        config(train_cfg={"by_epoch": False}),
    ],
)
def test_other_configs_are_left_alone(settings: Config) -> None:
    before = settings.to_dict()
    assert _find_unused_parameters(settings) == []
    assert settings.to_dict() == before
