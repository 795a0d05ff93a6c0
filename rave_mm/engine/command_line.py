"""What tools/train.py and tools/test.py have in common: arguments, and the config they lead to."""

import argparse
import os
from pathlib import Path

import torch
from mmengine.config import Config, DictAction

from rave_mm import config_path


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that MMagic's users know."""
    parser.add_argument(
        "config",
        help="a config file, or the name of one of this package, as rave/rave_baid_paired.py",
    )
    parser.add_argument(
        "--work-dir",
        type=Path,
        help="where everything goes (default: work_dirs/NAME OF THE CONFIG)",
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="override settings of the config, as optim_wrapper.optimizer.lr=1e-4 "
        "train_dataloader.batch_size=4",
    )
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="how several processes start",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)


def load_config(arguments: argparse.Namespace) -> Config:
    """Read the config that the arguments name, and override what they override.

    Raises:
        FileNotFoundError: neither a file nor a config of this package; the message lists those.
    """
    os.environ.setdefault("LOCAL_RANK", str(arguments.local_rank))
    path = Path(arguments.config)
    if not path.is_file():
        path = config_path(arguments.config)
    config = Config.fromfile(path)
    config.launcher = arguments.launcher
    if not torch.cuda.is_available():
        config.merge_from_dict({"env_cfg.dist_cfg.backend": "gloo"})  # nccl needs GPUs
    if arguments.cfg_options is not None:
        config.merge_from_dict(arguments.cfg_options)
    if arguments.work_dir is not None:
        config.work_dir = str(arguments.work_dir)
    elif config.get("work_dir") is None:
        config.work_dir = str(Path("work_dirs") / path.stem)
    return config
