"""A model of two modules that trains in milliseconds, and data with random augmentation."""

import random
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmagic.registry import DATASETS, MODELS
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

import rave_mm.register  # noqa: F401 - registers what the tests build

ONE = {"name": "one", "iterations": 2, "losses": ["fit"]}
PAIR = {"name": "pair turn", "iterations": 2, "losses": ["far"], "trains": "pair"}


@DATASETS.register_module()
class TinyPhotos(Dataset[dict[str, Tensor]]):
    """Items of four numbers, changed with the random numbers of three libraries."""

    def __init__(self, count: int = 5, first: int = 0) -> None:
        self.count, self.first = count, first

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        drawn = torch.tensor([random.random(), np.random.rand(), torch.rand(()).item()])
        return {"inputs": torch.cat([torch.tensor([float(self.first + index)]), drawn])}


class Generator(nn.Module):
    """A linear layer that counts how often it was drawn anew."""

    resets: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.register_buffer("resets", torch.zeros(()))

    def reset_parameters(self) -> None:
        self.layer.reset_parameters()
        self.resets += 1

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Pair(nn.Module):
    """Three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.full((3,), 0.5))


@MODELS.register_module()
class Tiny(BaseModel):
    """Losses `fit` and `far`, each of both modules; with noise, if wanted."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__()
        self.generator, self.pair = Generator(), Pair()
        self.noise = noise
        self.active: tuple[str, ...] = ()
        self.seen: list[Tensor] = []
        self.calls: list[str] = []

    def activate_losses(self, names: tuple[str, ...]) -> None:
        if not set(names) <= {"fit", "far"}:
            raise ValueError(f"losses: got {names}, expected some of fit, far")
        self.active = tuple(names)

    def forward(
        self, inputs: Tensor, data_samples: Any = None, mode: str = "tensor"
    ) -> dict[str, Tensor]:
        self.seen.append(inputs.detach().clone())
        x = inputs[:, 1:]
        off = self.generator(x) + self.noise * torch.randn_like(x) - x * self.pair.values
        terms = {"fit": off.square().mean(), "far": (off - 1).square().mean()}
        values = {f"loss_{name}": terms[name] for name in self.active}
        return {**values, "psnr": 10 * self.generator.resets.clone()}


def loader(batch_size: int = 2, workers: int = 0, **dataset: Any) -> dict[str, Any]:
    return {
        "batch_size": batch_size,
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "dataset": {"type": "TinyPhotos", **dataset},
        "sampler": {"type": "ReplayableSampler", "shuffle": True},
        "collate_fn": {"type": "default_collate"},
    }


_NUMBERS = count()

ADAM = {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 0.1}}
TWO_OPTIMIZERS = {
    "constructor": "MultiOptimWrapperConstructor",
    "generator": {**ADAM, "clip_grad": {"max_norm": 1.0}},
    "pair": {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 0.3}},
}


def make_runner(
    work_dir: Path,
    phases: list[dict[str, Any]],
    loaders: Mapping[str, Any] | None = None,
    loop: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Runner:
    """A Runner that writes a checkpoint and a log line after each iteration."""
    work_dir.mkdir(exist_ok=True)
    arguments = {
        "model": {"type": "Tiny"},
        "train_dataloader": loader(),
        "optim_wrapper": ADAM,
        "randomness": {"seed": 7},
        "log_processor": {"type": "PhasedLogProcessor", "window_size": 50, "by_epoch": False},
        **settings,
    }
    return Runner(
        work_dir=str(work_dir),
        train_cfg={
            "type": "PhasedTrainLoop",
            "phases": phases,
            "loaders": loaders or {},
            **(loop or {}),
        },
        default_hooks={
            "checkpoint": {"type": "CheckpointHook", "interval": 1, "by_epoch": False},
            "logger": {"type": "LoggerHook", "interval": 1, "log_metric_by_epoch": False},
        },
        visualizer={"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]},
        default_scope="mmagic",
        # MMEngine has one of its global instances for each name.
        experiment_name=f"{work_dir.name}-{next(_NUMBERS)}",
        **arguments,
    )


class Noter(Hook):
    """Notes, before and after each step, what the phase decides."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.ends: list[int] = []

    def before_train_iter(self, runner: Runner, **_: Any) -> None:
        model = runner.model
        self.steps.append(
            {
                "losses": model.active,
                "learns": [n for n, p in model.named_parameters() if p.requires_grad],
                "weights": weights(model),
            }
        )

    def after_train_iter(self, runner: Runner, **_: Any) -> None:
        self.ends.append(runner.max_iters)


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def train(tmp_path: Path, *arguments: Any, **settings: Any) -> tuple[Runner, Noter]:
    noter = Noter()
    runner = make_runner(tmp_path, *arguments, custom_hooks=[noter], **settings)
    runner.train()
    return runner, noter


def text(runner: Runner) -> str:
    return next(Path(runner.log_dir).glob("*.log")).read_text()
