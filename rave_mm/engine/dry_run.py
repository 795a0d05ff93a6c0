"""What training would do, without doing it: the timeline, and a batch of each phase."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement
from torch import Tensor

from rave_mm.engine.command_line import build_runner
from rave_mm.engine.phased_train_loop import PhasedTrainLoop
from rave_mm.engine.schedule import read_schedule


def dry_run(config: Config) -> Iterator[str]:
    """Build all that training needs, take a batch of each phase, and take no step.

    Nothing is written but into a temporary folder. Weights of a CLIP are not looked for.

    Args:
        config: of a `PhasedTrainLoop`; it is changed.

    Yields:
        The timeline, for which no photograph is needed. Then the trainable parameters of each phase
        and what a batch of it holds.

    Raises:
        ValueError: the config trains in another loop, or what that loop raises.
        FileNotFoundError: folders of photographs are missing; it names all of them.
    """
    if "phases" not in (config.get("train_cfg") or {}):
        raise ValueError("--dry-run: got a config without phases, expected a PhasedTrainLoop's")
    schedule = read_schedule(config.train_cfg.phases)
    yield f"schedule of {schedule.iterations} iterations:\n{schedule.timeline()}"
    if missing := missing_folders(config):
        listing = "".join(f"\n  {folder}" for folder in missing)
        raise FileNotFoundError(
            f"{len(missing)} folders of photographs that the config names are missing (looked from "
            f"{Path.cwd()}):{listing}"
        )
    # Nothing is seen of these, but they would write.
    config.visualizer = None
    config.log_level = "WARNING"
    for loader in (config.train_dataloader, *(config.train_cfg.get("loaders") or {}).values()):
        loader.update(num_workers=0, persistent_workers=False)
        loader.pop("prefetch_factor", None)
    with TemporaryDirectory() as folder:
        config.work_dir = folder
        # MMEngine gives runs of a name, else the second they start in, one logger and visualizer.
        config.experiment_name = Path(folder).name
        loop = build_runner(config).train_loop
        assert isinstance(loop, PhasedTrainLoop)
        yield describe(loop)


def missing_folders(config: Config) -> list[Path]:
    """Folders of photographs that training by a config needs and that are not there."""
    untested = {key: value for key, value in config.items() if not key.startswith("test_")}
    folders = dict.fromkeys(_folders(untested))
    return [folder for folder in folders if not folder.is_dir()]


def _folders(value: Any) -> Iterator[Path]:
    """What data sets and residual vectors call `backlit` and `well_lit`, anywhere in a config."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key in ("backlit", "well_lit") and isinstance(part, str):
                yield Path(value.get("data_root") or "", part)
            else:
                yield from _folders(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _folders(part)


def describe(loop: PhasedTrainLoop) -> str:
    """Of each phase what it trains, and what a batch of its loader holds."""
    schedule, lines = loop.schedule, []
    loop.modules.note_trainable()
    batches: dict[str, Any] = {}
    for phase in schedule.phases:
        count = sum(parameter.numel() for parameter in loop.modules.trained(phase))
        lines += [
            f"phase {schedule.number(phase)}, {phase.name}:",
            f"  {phase.trains}: {count:,} trainable parameters",
            f"  a batch of {phase.loader}:",
        ]
        if phase.loader not in batches:
            batches[phase.loader] = loop.loaders.take(phase.loader)
        lines += [f"    {line}" for line in describe_batch(batches[phase.loader])]
    return "\n".join(lines)


def describe_batch(batch: Any) -> list[str]:
    """A line for each key of a batch: how many tensors, their shapes, type and range.

    Args:
        batch: tensors in dicts, lists and MMEngine's data elements.
    """
    found: dict[str, list[Tensor]] = {}
    for name, tensor in _tensors(batch, ""):
        found.setdefault(name, []).append(tensor)
    return [f"{name}: {_describe(tensors)}" for name, tensors in found.items()]


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, (Tensor, np.ndarray)):
        yield name, torch.as_tensor(value)
    elif isinstance(value, (Mapping, BaseDataElement)):
        for key, part in value.items():
            yield from _tensors(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part, name)


def _describe(tensors: list[Tensor]) -> str:
    shapes = " or ".join(dict.fromkeys(str(tuple(tensor.shape)) for tensor in tensors))
    types = " or ".join(dict.fromkeys(str(t.dtype).removeprefix("torch.") for t in tensors))
    full = [tensor for tensor in tensors if tensor.numel()]
    least, most = min(t.min().item() for t in full), max(t.max().item() for t in full)
    return f"{len(tensors)} x {shapes}, {types} in [{least:g}, {most:g}]"
