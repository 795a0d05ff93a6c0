"""tools/train.py and tools/test.py on several processes, without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm import config_path
from rave_mm.networks.light_map_unet import LightMapUNet
from tests.processes import free_port, run_in_processes, run_tool_by_slurm
from tests.tools.loading import TOOLS
from tests.tools.tiny_run import CONFIG, logs, options, run

ROOT = Path(__file__).parents[2]

EACH_RANK = """
import os
import torch
from mmagic.registry import HOOKS
from mmengine.hooks import Hook

@HOOKS.register_module()
class SaveEachRank(Hook):
    def after_train(self, runner):
        torch.save(runner.model.module.generator.state_dict(), f"rank{os.environ['RANK']}.pth")
"""

TWO_PHASES = f"""
_base_ = {str(config_path(CONFIG))!r}
custom_imports = dict(imports=["rave_mm.register", "each_rank"])
custom_hooks = [dict(type="SaveEachRank")]
train_cfg = dict(phases=[
    dict(name="first", iterations=2, losses=["identity"]),
    dict(name="second", iterations=2, losses=["guidance", "identity"]),
])
"""


def train_by_torchrun(work: Path, *arguments: object) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", 2]
    command += ["--master-port", free_port(), TOOLS / "train.py"]
    command += [*arguments, "--launcher", "pytorch"]
    settings = {"PYTHONPATH": f"{ROOT}:{work}", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_without_a_gpu(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "each_rank.py").write_text(EACH_RANK)
    (work / "mine.py").write_text(TWO_PHASES)
    train_by_torchrun(work, "mine.py", "--work-dir", "run", *options(2)[:-1])
    first, second = (torch.load(work / f"rank{rank}.pth") for rank in (0, 1))
    start = LightMapUNet(start="identity").state_dict()
    assert any(not torch.equal(first[name], start[name]) for name in first)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert [line["step"] for line in logs(work / "run") if "loss_guidance" in line] == [3, 4]

    checkpoint = work / "run/iter_4.pth"
    two = ("--work-dir", "two", "--out", "two.json", "--launcher", "slurm")
    run_in_processes(2, run_tool_by_slurm, "test", CONFIG, checkpoint, *two)
    arguments = ("--work-dir", "one", "--out", "one.json")
    run(monkeypatch, "test", CONFIG, checkpoint, *arguments)
    one, two = (json.loads((work / f"{count}.json").read_text()) for count in ("one", "two"))
    assert two == pytest.approx(one, abs=1e-4)


def test_without_a_gpu_a_launcher_must_have_started_the_process(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LOCAL_RANK", "0")  # which the tool sets, for this process alone
    for launcher, told in (
        ("slurm", "--launcher slurm: got no SLURM_PROCID, SLURM_LOCALID, SLURM_NTASKS, expected"),
        ("mpi", r"--launcher: got mpi without a GPU, expected pytorch \(torchrun\) or slurm"),
    ):
        with pytest.raises(SystemExit, match=told):
            run(monkeypatch, "train", CONFIG, "--launcher", launcher)
