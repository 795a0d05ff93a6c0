"""Train a model: `python tools/train.py CONFIG`."""

import argparse

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

import rave_mm.registry  # noqa: F401 - configs may name this package's bases as rave_mm::
from rave_mm.engine.command_line import add_run_arguments, load_config


def use_mixed_precision(config: Config) -> None:
    """Let the network run under autocast, in bfloat16, which needs no loss scale.

    CLIP keeps its own precision.

    Raises:
        ValueError: the config has an optimizer wrapper of another type.
    """
    wrapper = config.optim_wrapper
    if wrapper.type not in ("OptimWrapper", "AmpOptimWrapper"):
        raise ValueError(f"--amp: got optim_wrapper of type {wrapper.type}, expected OptimWrapper")
    if wrapper.type == "OptimWrapper":
        wrapper.type = "AmpOptimWrapper"
        wrapper.dtype = "bfloat16"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_run_arguments(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in the work directory"
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision (bfloat16) on a GPU")
    arguments = parser.parse_args()
    if arguments.amp and not torch.cuda.is_available():
        parser.error("--amp needs a GPU; on a CPU, float32 is faster than mixed precision")
    config = load_config(arguments)
    if arguments.amp:
        use_mixed_precision(config)
    if arguments.resume:
        config.resume = True
    runner = Runner.from_cfg(config)
    runner.train()
    print_log(
        f"checkpoints, logs and pictures are in {config.work_dir}; see them with\n"
        f"  tensorboard --logdir {config.work_dir}",
        "current",
    )


if __name__ == "__main__":
    main()
