"""Test a checkpoint: `python tools/test.py CONFIG CHECKPOINT`; ours or a published one.

The network pads as the config says: with zeros in configs/rave, as in training. The published code
pads with reflection when it tests. For that, add

    --cfg-options model.generator.padding_mode=reflect
"""

import argparse
import json
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from rave_mm.engine.command_line import add_run_arguments, build_runner, load_config


class KeepFigures(Hook):
    """Keeps the figures of a test, which MMagic's test loop hands to hooks and does not return."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self.figures = {name: float(value) for name, value in (metrics or {}).items()}


def write_figures(path: Path, figures: dict[str, float]) -> None:
    """Write the figures as JSON; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(figures, indent=2) + "\n")
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_run_arguments(parser)
    parser.add_argument("checkpoint", help="a checkpoint's path, or its address (https://...)")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    if "://" not in arguments.checkpoint and not Path(arguments.checkpoint).is_file():
        parser.error(
            f"no checkpoint {arguments.checkpoint}; tools/train.py writes them to its --work-dir "
            "as iter_N.pth"
        )
    config = load_config(arguments)
    config.load_from = arguments.checkpoint
    # The visualization hook asks for the iteration, for which MMEngine would build the training
    # loop, and that needs the training photos.
    for part in ("train_cfg", "train_dataloader", "optim_wrapper", "param_scheduler"):
        config[part] = None
    runner = build_runner(config)
    kept = KeepFigures()
    runner.register_hook(kept)
    runner.test()
    if arguments.out and is_main_process():
        write_figures(arguments.out, kept.figures)
    pictures = Path(runner.log_dir) / "vis_data" / "vis_image"
    print_log(f"input, result and ground truth side by side: {pictures}", "current")


if __name__ == "__main__":
    main()
