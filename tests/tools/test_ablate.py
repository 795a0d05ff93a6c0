"""tools/ablate.py end to end: a grid of two runs on a few tiny photos, stopped and gone on with."""

import csv
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

import rave_mm.register  # noqa: F401 - before the tools, which run in this process
from rave_mm import config_path
from rave_mm.ablation.grid import Run
from rave_mm.datasets.shadows import smooth_noise
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.tools.loading import load_tool

CONFIG = "demo/rave_demo.py"
TINY = [
    "--cfg-options",
    "train_cfg.phases.0.iterations=2",
    "train_cfg.val_interval=2",
    "default_hooks.checkpoint.interval=1",
    "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False",
    "train_dataloader.batch_size=2",
    "train_dataloader.dataset.pipeline.1.crop_size=32",
    "param_scheduler=[]",
    "custom_hooks=[]",
]


@pytest.fixture
def ablate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for backlit, well_lit in (
        ("train/backlit", "train/well-lit"),
        ("test/resize_input", "test/resize_gt"),
    ):
        for index in range(2):
            noise = np.stack([smooth_noise(40, 56, 5, rng) for _ in range(3)], -1)
            photo = np.clip((180, 140, 90) + 40 * noise, 0, 255).astype(np.uint8)
            write_photo(Path("data/demo", well_lit, f"{index}.png"), photo)
            write_photo(Path("data/demo", backlit, f"{index}.png"), synthetic_backlight(photo, rng))
    return load_tool("ablate")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, ablate: ModuleType) -> list[list[str]]:
    """The tools that were run: here in this process, which saves the imports."""
    ran: list[list[str]] = []

    really_run = subprocess.run

    def in_process(command: Any, *others: Any, **settings: Any) -> Any:
        if command[0] != sys.executable:  # MMEngine asks for compilers
            return really_run(command, *others, **settings)
        ran.append(command)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", command[1:])
            try:
                runpy.run_path(command[1], run_name="__main__")
            except SystemExit:  # it has told its mistake
                return subprocess.CompletedProcess(command, 1)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(ablate.subprocess, "run", in_process)
    return ran


def names(commands: list[list[str]]) -> list[str]:
    return [Path(command[1]).stem for command in commands]


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_grid_is_run_once_and_gone_on_with(
    ablate: ModuleType, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    key = "model.losses.guidance.residual.estimator"
    ablate.main(ablate.parse_arguments([CONFIG, "--vary", f"{key}=mean", "--name", "one", *TINY]))
    assert names(commands) == ["train", "test"]
    with pytest.raises(SystemExit, match="1"):  # mode is no estimator
        ablate.main(
            ablate.parse_arguments(
                [CONFIG, "--vary", f"{key}=mean,median,mode", "--name", "both", *TINY]
            )
        )
    assert names(commands) == ["train", "test"] + ["train", "test"] + ["train"]

    rows = table("work_dirs/ablations/both/runs.csv")
    assert [row[key] for row in rows] == ["mean", "median", "mode"]
    assert rows[0]["PSNR"] == table("work_dirs/ablations/one/runs.csv")[0]["PSNR"]
    assert float(rows[1]["PSNR"]) > 0 and rows[1]["input/PSNR"] == rows[0]["input/PSNR"]
    assert rows[2]["PSNR"] == ""
    assert (
        "| mode | failed | failed | 0 of 1 |"
        in Path("work_dirs/ablations/both/table.md").read_text()
    )
    assert read_photo("work_dirs/ablations/both/figure.png").ndim == 3

    capsys.readouterr()
    ablate.main(ablate.parse_arguments([CONFIG, "--vary", f"{key}=mean,mode", "--dry-run", *TINY]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["finished", "to"]


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on_where_it_stopped(
    ablate: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    vary = ["--vary", "model.losses.guidance.loss_weight=15.0"]
    really_write = CheckpointHook.after_train_iter

    def killed(*arguments: Any, **settings: Any) -> None:
        really_write(*arguments, **settings)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CheckpointHook, "after_train_iter", killed)
        ablate.main(ablate.parse_arguments([CONFIG, *vary, *TINY]))
    (train,) = Path("work_dirs/ablations/runs").glob("*/train")
    assert sorted(path.name for path in train.glob("iter_*.pth")) == ["iter_1.pth"]
    ablate.main(ablate.parse_arguments([CONFIG, *vary, *TINY]))
    assert names(commands) == ["train", "train", "test"]
    assert (train / "iter_2.pth").is_file()
    (log,) = [
        text
        for path in train.rglob("*.log")
        if "training goes on from" in (text := path.read_text(encoding="utf-8"))
    ]
    assert "iter_1.pth" in log
    (row,) = table("work_dirs/ablations/demo-rave_demo-loss_weight/runs.csv")
    assert float(row["PSNR"]) > 0


class Tools:
    """Stands for train.py and test.py: what they are told, and what they leave."""

    def __init__(self, together: int = 1, status: int = 0) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.together = threading.Barrier(together)
        self.status = status

    def run(self, command: list[str], env: dict[str, str], **_: Any) -> Any:
        tool, folder = Path(command[1]).stem, Path(command[2]).parent
        self.asked.append((tool, env.get("CUDA_VISIBLE_DEVICES")))
        if tool == "train":
            self.together.wait(timeout=30)
            (folder / "train").mkdir()
            (folder / "train/last_checkpoint").write_text("iter_1.pth")
            return subprocess.CompletedProcess(command, 0)
        (folder / "figures.json").write_text('{"PSNR": 1.0, "input/PSNR": 0.5}')
        return subprocess.CompletedProcess(command, self.status)


def test_runs_take_the_devices_in_turns(
    ablate: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = Tools(together=2)
    monkeypatch.setattr(ablate.subprocess, "run", tools.run)
    runs = [Run((label,), 0, Config(), key) for label, key in (("a", "1"), ("b", "2"), ("c", "1"))]
    found = ablate.execute_all(runs, Path("runs"), ["4", "7"])
    assert [(r.labels, r.figures and r.figures["PSNR"]) for r in found] == [
        (("a",), 1.0),
        (("b",), 1.0),
        (("c",), 1.0),
    ]
    assert sorted(tools.asked) == [("test", "4"), ("test", "7"), ("train", "4"), ("train", "7")]
    told = sorted(capsys.readouterr().out.splitlines())
    assert told == [
        "[1/2] c, seed 0: PSNR 1.000 (0.0 minutes)",
        f"[1/2] c, seed 0: runs, see {Path('runs/1/log.txt')}",
        "[2/2] b, seed 0: PSNR 1.000 (0.0 minutes)",
        f"[2/2] b, seed 0: runs, see {Path('runs/2/log.txt')}",
    ]


def test_figures_hold_where_another_could_not_be_computed(
    ablate: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As LPIPS without its weights; the test is made again, the training is not lost."""
    tools = Tools(status=3)
    monkeypatch.setattr(ablate.subprocess, "run", tools.run)
    arguments = [CONFIG, "--vary", "model.losses.guidance.loss_weight=1,2"]
    with pytest.raises(SystemExit, match="1"):
        ablate.main(ablate.parse_arguments(arguments))
    assert "a metric could not be computed, see" in capsys.readouterr().out
    rows = table("work_dirs/ablations/demo-rave_demo-loss_weight/runs.csv")
    assert [row["PSNR"] for row in rows] == ["1.0", "1.0"]
    tools.status = 0
    for folder in Path("work_dirs/ablations/runs").glob("*/train"):
        shutil.rmtree(folder)  # the stand-in makes it anew
    ablate.main(ablate.parse_arguments(arguments))
    assert len(tools.asked) == 8
    ablate.main(ablate.parse_arguments(arguments))
    assert len(tools.asked) == 8, "all is finished"


@pytest.mark.parametrize(
    ("config", "vary", "name"),
    [
        ("demo/ablations/weight.py", [], "demo-weight"),
        ("rave/ablations/weight", [], "rave-weight"),
        ("demo/rave_demo", ["a.lr=1,2", "b.seed=1"], "demo-rave_demo-lr-seed"),
        ("mine.py", [], "mine"),
    ],
)
def test_a_table_of_its_own(ablate: ModuleType, config: str, vary: list[str], name: str) -> None:
    path = Path(config) if config == "mine.py" else config_path(config)
    assert ablate.default_name(path, vary) == name
