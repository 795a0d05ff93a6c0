"""Runs tools/train.py and tools/test.py on a few tiny photos, the fixture `work`."""

import json
import sys
from pathlib import Path

import pytest

import rave_mm.register  # noqa: F401 - registers what the tests build
from tests.tools.loading import load_tool

CONFIG = "demo/rave_demo_paper_network.py"


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    load_tool(name).main()


def options(iterations: int) -> list[str]:
    return [
        "--cfg-options",
        f"train_cfg.phases.0.iterations={iterations}",
        "train_cfg.val_interval=2",
        "default_hooks.checkpoint.interval=2",
        "default_hooks.logger.interval=1",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        "train_dataloader.batch_size=2",
        "train_dataloader.dataset.pipeline.1.crop_size=32",
        "param_scheduler=[]",
        "custom_hooks.0.interval.val=1",
    ]


def logs(work_dir: Path) -> list[dict[str, float]]:
    """What the runs in a work directory wrote, in their order."""
    return [
        json.loads(line)
        for file in sorted(work_dir.glob("*/vis_data/scalars.json"))
        for line in file.read_text().splitlines()
    ]
