"""What tools/train.py and tools/test.py have in common: from arguments to a config and a Runner."""

import argparse
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

import rave_mm.registry  # noqa: F401 - configs may name this package's bases as rave_mm::
from rave_mm import config_path
from rave_mm.engine.component_settings import check_components
from rave_mm.engine.config_text import format_configs_once
from rave_mm.engine.overrides import override
from rave_mm.engine.processes import connect_without_gpu
from rave_mm.engine.quiet_runner import QuietRunner
from rave_mm.engine.schedule import read_schedule
from rave_mm.networks.checkpoint_file import read_checkpoint, read_generator_weights
from rave_mm.networks.checkpoint_path import is_address
from rave_mm.networks.fetched_checkpoint import fetch_checkpoint
from rave_mm.runtime.memory import ask_for_huge_pages
from rave_mm.runtime.whole_files import naming

LIGHT_MAP_NETWORKS = ("LightMapUNet", "SmallViewLightMapNet")
"""Those that photos are divided by the result of."""

NOT_COMPUTED = 3
"""The exit status of tools/test.py where a metric that was asked for could not be computed.

Its other figures hold.
"""


def load_config(arguments: argparse.Namespace) -> Config:
    """Read the config that the arguments name, and override what they override.

    Raises:
        FileNotFoundError: neither a file nor a config of this package; the message lists those. Or
            the config has a base of a package that is not installed.
        SettingError: a setting that nothing would read, or of another type than what reads it has.
    """
    if arguments.launcher != "none":  # the Runner asks for it, and not every launcher sets it
        os.environ.setdefault("LOCAL_RANK", str(arguments.local_rank))
    path = Path(arguments.config)
    if not path.is_file():
        path = config_path(arguments.config)
    try:
        with naming(Path(gettempdir())):  # where MMEngine copies it, to run the copy
            config = Config.fromfile(path)
    except FileNotFoundError as error:
        if Path(error.filename or "").name != "model-index.yml":
            raise
        raise FileNotFoundError(
            f"{path} has a base that is named by its package, as rave_mm::rave/..., but that "
            f"package is not installed: no {error.filename}. Install it (for rave_mm: pip install "
            "--no-deps --no-build-isolation -e CLONE), or name the base by its path"
        ) from error
    config.launcher = arguments.launcher
    override(config, arguments.cfg_options)
    check_components(config)
    if arguments.work_dir is not None:
        config.work_dir = str(arguments.work_dir)
    elif config.get("work_dir") is None:
        config.work_dir = str(Path("work_dirs") / path.stem)
    return config


def build_runner(config: Config) -> Runner:
    """Build MMEngine's Runner; several processes do without GPUs, too.

    Raises:
        SettingError: as :func:`rave_mm.engine.processes.connect_without_gpu`.
        ValueError: a schedule that cannot be read.
        FileNotFoundError: there is no file `load_from`.
        UnknownCheckpointError: it is no checkpoint, or of another network than a `LightMapUNet`
            that the model has.
    """
    format_configs_once()
    ask_for_huge_pages()  # before a checkpoint's tensors, or PyTorch has decided
    _check_checkpoint(config)
    trained = _find_unused_parameters(config)
    if config.launcher != "none" and not torch.cuda.is_available():
        connect_without_gpu(config)
    runner = QuietRunner.from_cfg(config)
    if trained:
        print_log(
            f"several processes, and what trains is {' or '.join(trained)}: "
            "find_unused_parameters=True",
            "current",
        )
    return runner


def _check_checkpoint(config: Config) -> None:
    """Refuse a file that MMEngine would fail to read without naming it, or would run code of."""
    checkpoint = config.get("load_from")
    if checkpoint is None:
        return
    if is_address(checkpoint):
        checkpoint = config.load_from = str(fetch_checkpoint(checkpoint))
    if (config.model.get("generator") or {}).get("type") in LIGHT_MAP_NETWORKS:
        read_generator_weights(checkpoint)
    else:
        read_checkpoint(checkpoint)


def _find_unused_parameters(config: Config) -> list[str]:
    """Let several processes do without gradients of what a phase does not train.

    Also of what no phase trains, though it has an optimizer, as a pair that stays as it starts.
    It leaves a config alone that says how it is to be.

    Returns:
        What can be trained, where that was set.
    """
    if config.launcher == "none" or "phases" not in (config.get("train_cfg") or {}):
        return []
    phases = read_schedule(config.train_cfg.phases).phases
    optimizers = config.get("optim_wrapper") or {}
    optimised = {
        name
        for name, part in optimizers.items()
        if isinstance(part, Mapping) and "optimizer" in part
    }
    trained = sorted({phase.trains for phase in phases} | optimised)
    settings = config.get("model_wrapper_cfg") or config
    if len(trained) == 1 or settings.get("find_unused_parameters") is not None:
        return []
    settings.find_unused_parameters = True
    return trained


def leave(status: int = 0) -> None:
    """End one of several processes, once all are here: the first to leave takes the others along.

    A process that is alone goes on, or ends with its status if that is not 0. One of several leaves
    without what Python and PyTorch clear away at their end: under load, that was at times aborted
    ("terminate called without an active exception"), with all work done.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    if status:
        sys.exit(status)
