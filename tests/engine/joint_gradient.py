"""Trains `Tiny` in one of several processes; the weights of each rank go to a file."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_rank

from rave_mm.engine.command_line import build_runner
from tests.engine.tiny import loader

SGD = {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.5, "momentum": 0.9}}
PHASES = [
    {
        "name": "first",
        "iterations": 2,
        "losses": ["fit"],
        "restart": {"value": "psnr", "below": 5.0, "after": 2, "at_most": 1},
    },
    {
        "rounds": 2,
        "phases": [
            {
                "name": "network",
                "iterations": 2,
                "losses": ["fit", "far"],
                # Close to the joint mean, which decides, so that the processes alone would differ.
                "prolong": {"value": "loss_far", "above": 0.6, "iterations": 1, "at_most": 9},
                "keep_best": "loss_fit",
            },
            {
                "name": "turn",
                "iterations": 2,
                "losses": ["far"],
                "trains": "pair",
                "loader": "prompts",
            },
        ],
    },
]


def config(folder: Path, launcher: str, processes: int) -> Config:
    """Joint batches of 4 and 6, whatever the number of processes."""
    folder.mkdir(exist_ok=True)
    return Config(
        {
            "model": {"type": "Tiny"},
            "train_dataloader": loader(4 // processes),
            "train_cfg": {
                "type": "PhasedTrainLoop",
                "phases": PHASES,
                "loaders": {"prompts": loader(6 // processes, count=7, first=100)},
            },
            "optim_wrapper": {
                "constructor": "MultiOptimWrapperConstructor",
                "generator": SGD,
                "pair": SGD,
            },
            "default_hooks": {"checkpoint": None, "logger": {"type": "LoggerHook", "interval": 1}},
            "visualizer": {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]},
            "log_processor": {"type": "PhasedLogProcessor", "by_epoch": False},
            "default_scope": "mmagic",
            "randomness": {"seed": 3},
            "work_dir": str(folder),
            "launcher": launcher,
        }
    )


def main(folder: Path, launcher: str, processes: int) -> None:
    runner = build_runner(config(folder, launcher, processes))
    runner.train()
    loop = runner.train_loop
    torch.save(
        {"weights": loop.model.state_dict(), "seen": loop.model.seen, "iterations": loop.iter},
        folder / f"rank{get_rank()}.pth",
    )
