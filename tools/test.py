"""Test a checkpoint: `python tools/test.py CONFIG CHECKPOINT`; ours or a published one.

The protocol says how figures are computed, and each figure's name what it depends on
(docs/metrics.md). Into the work directory go report.json, photos.csv and report.html, beside the
figures of the input those of the result.

A figure that cannot be computed, for want of weights or of ground truth, is told at the start, with
what to do; the others are computed, and the exit status is 3.

The network pads as the config says: with zeros in configs/rave, as in training. The published code
pads with reflection when it tests. For that, add

    --cfg-options model.generator.padding_mode=reflect
"""

import argparse
from pathlib import Path

from rave_mm.engine.arguments import add_run_arguments
from rave_mm.runtime.command import as_typed, command_name


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_run_arguments(parser)
    parser.add_argument("checkpoint", help="a checkpoint's path, or its address (https://...)")
    parser.add_argument(
        "--protocol",
        choices=("standard", "rave-paper", "clip-lit-paper"),
        help="how figures are computed, whatever the config's test_evaluator (default: standard)",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="which of the protocol's, as PSNR LPIPS-vgg FID NIQE MUSIQ, or all (default: what a "
        "--protocol that is named has without a request, or else the config's test_metrics)",
    )
    parser.add_argument(
        "--gt-mean",
        action="store_true",
        help="also figures of pictures scaled to the ground truth's mean, as NAME-GTmean",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="also write the figures alone to this JSON file, as PSNR and input/PSNR",
    )
    arguments = parser.parse_args()
    if "://" not in arguments.checkpoint and not Path(arguments.checkpoint).is_file():
        parser.error(
            f"no checkpoint {arguments.checkpoint}; tools/train.py writes them to its --work-dir "
            "as iter_N.pth"
        )
    return arguments


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from rave_mm.engine.command_line import (
    NOT_COMPUTED,
    build_runner,
    leave,
    load_config,
)
from rave_mm.engine.mistakes import Mistakes, StartedHook
from rave_mm.engine.sound_files import write_soundly
from rave_mm.runtime.whole_files import naming

USUAL_PROTOCOL = "standard"

_SHORT = {"PSNR-RGB": "PSNR", "SSIM-RGB": "SSIM"}


def short_figures(figures: dict[str, tuple[float, float]]) -> dict[str, float]:
    """What --out writes: (result, input) of each metric, under MMagic's name where it is MMagic's.

    `PSNR` and `SSIM` are MMagic's of RGB, as validations log them; the input's have `input/` before
    them.
    """
    short = {_SHORT.get(name, name): pair for name, pair in figures.items()}
    return {
        **{name: result for name, (result, _) in short.items()},
        **{f"input/{name}": photo for name, (_, photo) in short.items()},
    }


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    mistakes = Mistakes(command_name(), arguments.traceback)
    with mistakes.told():
        config = load_config(arguments)
    # These import MMagic, which takes a while.
    from rave_mm.evaluation.outcome_files import to_json
    from rave_mm.evaluation.protocols import choose_metrics, read_protocol
    from rave_mm.evaluation.run_record import RecordTest
    from rave_mm.runtime.whole_files import write_whole

    config.load_from = arguments.checkpoint
    # A protocol that is named has its own metrics: the config's are names of the usual one's.
    usual = None if arguments.protocol else config.get("test_metrics")
    name = arguments.protocol or USUAL_PROTOCOL
    protocol = read_protocol(name)
    metrics = choose_metrics(protocol, arguments.metrics or usual, arguments.gt_mean)
    config.test_evaluator = dict(protocol.test_evaluator, metrics=metrics)
    # The visualization hook asks for the iteration, for which MMEngine would build the training
    # loop, and that needs the training photos.
    for part in ("train_cfg", "train_dataloader", "optim_wrapper", "param_scheduler"):
        config[part] = None
    record = RecordTest(name, metrics, arguments.config, arguments.checkpoint)
    write_soundly()
    with mistakes.told(), mistakes.of_the_config_told(config), naming(Path(config.work_dir)):
        runner = build_runner(config)
        runner.register_hook(record)
        runner.register_hook(StartedHook(mistakes))
        runner.test()
    if is_main_process():
        assert record.outcome is not None
        figures = record.outcome.figures
        if arguments.out:
            pairs = {name: (figure.result, figure.input) for name, figure in figures.items()}
            write_whole(arguments.out, to_json(short_figures(pairs)))
        pictures = Path(runner.log_dir) / "vis_data" / "vis_image"
        print_log(record.outcome.table(), "current")
        print_log(f"input, result and ground truth side by side: {pictures}", "current")
        print_log(f"report: {Path(runner.work_dir) / 'report.html'}", "current")
    leave(NOT_COMPUTED if record.not_computed else 0)


if __name__ == "__main__":
    main()
