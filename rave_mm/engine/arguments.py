"""The arguments of the tools that run a config; imports nothing that takes time."""

import argparse
from pathlib import Path


def add_run_arguments(parser: argparse.ArgumentParser, config_needed: bool = True) -> None:
    """Add the arguments that MMagic's users know.

    Args:
        parser: To add them to.
        config_needed: Whether it is a mistake not to name a config.
    """
    parser.add_argument(
        "config",
        nargs=None if config_needed else "?",
        help="a config file, or the name of one of this package, as rave/rave_baid_paired.py",
    )
    parser.add_argument(
        "--work-dir",
        type=Path,
        help="where everything goes (default: work_dirs/NAME OF THE CONFIG)",
    )
    add_settings(
        parser,
        "override settings of the config, as optim_wrapper.optimizer.lr=1e-4 "
        "train_dataloader.batch_size=4",
    )
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="what starts several processes: pytorch is torchrun, slurm is srun",
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show where in the code a mistake was met"
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)


def add_settings(parser: argparse.ArgumentParser, text: str) -> None:
    """Add `--cfg-options`; what it gives is for :func:`rave_mm.engine.command_line.load_config`."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        type=_setting,
        default=[],
        metavar="KEY=VALUE",
        help=text,
    )


def _setting(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(
            f"got {text!r}, expected KEY=VALUE, as optim_wrapper.optimizer.lr=1e-4"
        )
    return text
