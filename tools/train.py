"""Train a model: `python tools/train.py CONFIG`, or on two folders of your own photos:

    python tools/train.py --backlit DIR --well-lit DIR

Backlit photos are trained on, well-lit ones (of other scenes, or the same) say what good light
looks like. OpenAI's CLIP guides where its weights are to be had, else the bundled one; the log says
which. docs/data.md says what photos fit.
"""

import argparse
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rave_mm.engine.arguments import add_run_arguments
from rave_mm.runtime.command import as_typed, command_name, stop


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_run_arguments(parser, config_needed=False)
    parser.add_argument("--backlit", type=Path, metavar="DIR", help="in place of a config: photos")
    parser.add_argument("--well-lit", type=Path, metavar="DIR", help="and those to learn from")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the newest complete checkpoint in the work directory; start where there "
        "is none",
    )
    parser.add_argument(
        "--resume-anyway",
        action="store_true",
        help="as --resume, also where phases that are over, the photos or the seed have changed",
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision (bfloat16)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the timeline and what a batch of each phase holds, and stop",
    )
    arguments = parser.parse_args()
    folders = [arguments.backlit, arguments.well_lit]
    if (arguments.config is None) != all(folders) or any(folders) != all(folders):
        parser.error("expected either a config, or both --backlit DIR and --well-lit DIR")
    return arguments


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from rave_mm.engine.changed_settings import changed_settings, settings_of_the_place
from rave_mm.engine.command_line import (
    LIGHT_MAP_NETWORKS,
    build_runner,
    leave,
    load_config,
)
from rave_mm.engine.dry_run import dry_run
from rave_mm.engine.exact_resume import KEY as LOOP_STATE
from rave_mm.engine.loss_inputs_hook import LossInputsHook
from rave_mm.engine.mistakes import Mistakes, StartedHook
from rave_mm.engine.mixed_precision import cpu_has_bfloat16
from rave_mm.engine.own_photos import config_of_own_photos
from rave_mm.engine.sound_checkpoints import SoundCheckpointsHook
from rave_mm.engine.sound_files import remove_superseded, write_soundly
from rave_mm.engine.stop_hook import StopHook, TrainingStopped
from rave_mm.engine.work_dir import (
    check_nothing_is_overwritten,
    newest_complete_checkpoint,
)
from rave_mm.networks.checkpoint_file import read_checkpoint
from rave_mm.runtime.folder_in_use import only_run_in
from rave_mm.runtime.setting_error import SettingError
from rave_mm.runtime.whole_files import naming

SHOWN = 20


def use_mixed_precision(config: Config) -> None:
    """Let the network run under autocast, in bfloat16; CLIP keeps its own precision.

    Raises:
        ValueError: the config has an optimizer wrapper of another type.
    """
    settings = config.optim_wrapper
    several = [part for part in settings.values() if isinstance(part, dict) and "optimizer" in part]
    for wrapper in several or [settings]:
        kind = wrapper.setdefault("type", "OptimWrapper")
        if kind not in ("OptimWrapper", "AmpOptimWrapper", "BFloat16OptimWrapper"):
            raise ValueError(f"--amp: got optim_wrapper of type {kind}, expected OptimWrapper")
        if kind == "OptimWrapper":
            wrapper["type"] = "BFloat16OptimWrapper"


def go_on_from_work_dir(config: Config, anyway: bool) -> list[str]:
    """Let training go on from the newest complete checkpoint in the work directory, if any.

    MMEngine alone would go back to `load_from` where the config has one.

    Args:
        config: It is changed.
        anyway: Go on also where the checkpoint's place means nothing any more.

    Returns:
        Lines for the log: what training starts from, why not from what, and which settings are no
        longer those of the checkpoint.

    Raises:
        UnknownCheckpointError: There are checkpoints, but none is complete.
        SettingError: Settings have changed by which the checkpoint's place was counted.
    """
    checkpoint, passed_over = newest_complete_checkpoint(Path(config.work_dir))
    lines = [f"--resume: {line}" for line in passed_over]
    if checkpoint is None:
        none = f"no checkpoint in {config.work_dir} yet, training starts as without it"
        return [*lines, f"--resume: {none}"]
    config.load_from = str(checkpoint)
    config.resume = True
    lines.append(f"--resume: training goes on from {checkpoint}")
    stored = read_checkpoint(checkpoint)
    before = stored["meta"].get("cfg", "")
    changed = changed_settings(before, config) if before else {}
    phase = stored.get(LOOP_STATE, {}).get("position", {}).get("phase", "")
    moving = settings_of_the_place(changed, before, phase)
    if moving and not anyway:
        raise SettingError(
            f"--resume: in {checkpoint}, the place in the schedule, in the order of the photos and "
            "of random numbers is that of other settings:\n"
            + "".join(f"  {name}: {changed[name]}\n" for name in moving[:SHOWN])
            + "Put them back, or go on all the same with --resume-anyway"
        )
    lines += [f"--resume: changed since then: {k}: {v}" for k, v in [*changed.items()][:SHOWN]]
    if len(changed) > SHOWN:
        lines.append(f"--resume: and {len(changed) - SHOWN} more")
    return lines


def alone_in(work_dir: Path) -> AbstractContextManager[None]:
    """Keep other runs out of the work directory; the first of several processes does it for all."""
    if any(os.environ.get(rank, "0") != "0" for rank in ("RANK", "SLURM_PROCID")):
        return nullcontext()
    work_dir.mkdir(parents=True, exist_ok=True)
    return only_run_in(work_dir)


def train(runner: Runner, beginning: Sequence[str]) -> None:
    """Train to the end, or until it is asked to stop.

    Args:
        runner: Has everything.
        beginning: Lines for the log: what it starts from.
    """
    for line in beginning:
        print_log(line, "current")
    runner.register_hook(StopHook())
    if not any(isinstance(hook, LossInputsHook) for hook in runner.hooks):
        runner.register_hook(LossInputsHook())  # of a config that forgot it, it checks the losses
    runner.register_hook(SoundCheckpointsHook())
    try:
        runner.train()
    except TrainingStopped as stopped:
        remove_superseded()
        print_log(str(stopped), "current")
        leave(128 + stopped.signal)
    except FloatingPointError as error:
        good, _ = newest_complete_checkpoint(Path(runner.work_dir))
        saved = "None was written before" if good is None else f"The last good one is {good}"
        stop(f"{error} {saved}")


def what_next(config: Config) -> str:
    """Where everything is, and the commands that people want next."""
    folder = config.work_dir
    lines = [f"checkpoints, logs and pictures are in {folder}; see them with"]
    lines.append(f"  tensorboard --logdir {folder}")
    newest, _ = newest_complete_checkpoint(Path(folder))
    if newest and (config.model.get("generator") or {}).get("type") in LIGHT_MAP_NETWORKS:
        lines.append("enhance photos with the newest checkpoint with")
        lines.append(f"  rave-mm enhance PHOTOS --out FOLDER --checkpoint {newest}")
    return "\n".join(lines)


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    if arguments.amp and not (torch.cuda.is_available() or cpu_has_bfloat16()):
        stop(
            "--amp needs a GPU, or a CPU that multiplies in bfloat16 (avx512_bf16 "
            "or amx_bf16 in /proc/cpuinfo); on this one, float32 is faster"
        )
    mistakes = Mistakes(command_name(), arguments.traceback)
    beginning = []
    with mistakes.told():
        if arguments.config is None:
            arguments.config, settings, guide = config_of_own_photos(
                arguments.backlit, arguments.well_lit
            )
            arguments.cfg_options = [*settings, *arguments.cfg_options]
            beginning.append(guide)
        config = load_config(arguments)
        if arguments.amp:
            use_mixed_precision(config)
        if arguments.dry_run:
            for part in dry_run(config):
                print(part, flush=True)
            return
        work_dir = Path(config.work_dir)
        write_soundly()
        with alone_in(work_dir):
            if arguments.resume or arguments.resume_anyway:
                beginning += go_on_from_work_dir(config, arguments.resume_anyway)
            else:
                check_nothing_is_overwritten(work_dir)
            with mistakes.of_the_config_told(config), naming(work_dir):
                runner = build_runner(config)
                runner.register_hook(StartedHook(mistakes))
                train(runner, beginning)
    print_log(what_next(config), "current")
    leave()


if __name__ == "__main__":
    main(given)
