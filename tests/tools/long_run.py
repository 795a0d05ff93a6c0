"""Trains for long on little, and sees whether memory, open files or logs grow.

    python -m tests.tools.long_run --iterations 2000

Run it where `python tools/prepare_data.py demo` has made data/demo. Every method's demo trains with
small crops; every twentieth iteration the process's memory and open files are noted. The slope of
the memory, in kB per iteration, is a line through the last quarter of the notes, when all that
stays has been allocated; its error is the line's standard error.
"""

import argparse
import json
import os
import shutil
import sys
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import numpy as np
from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.tools.kills.forked import start
from tests.tools.kills.training import METHODS
from tests.tools.loading import load_tool

EVERY = 20
# The memory in which a checkpoint is put together grows with each of the first ones, until it is
# about as large as three: many, so that this is over in the last quarter.
CHECKPOINTS = 50
PHASES = {"RAVE": 1, "CLIP-LIT": 3, "CLIP-LIT-Latent": 3}


@HOOKS.register_module()
class NoteResources(Hook):
    """Writes a line for every so many iterations: memory in kB, open files."""

    def after_train_iter(self, runner: Runner, batch_idx: int, **_: Any) -> None:
        """Note."""
        if batch_idx % EVERY:
            return
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        note = {
            "iteration": batch_idx,
            "kb": pages * os.sysconf("SC_PAGE_SIZE") / 1000,
            "files": len(list(Path("/proc/self/fd").iterdir())),
        }
        with (Path(runner.work_dir) / "resources.jsonl").open("a") as lines:
            lines.write(f"{json.dumps(note)}\n")


def train(method: str, work_dir: Path, iterations: int) -> ForkProcess:
    """A training of so many iterations, with many checkpoints."""
    work_dir.mkdir(parents=True)
    demo = load_tool("demo")
    settings = [*demo.TINY, *demo.tiny_schedule(METHODS[method], iterations // PHASES[method])]
    settings += ["val_cfg=None", "val_evaluator=None", "val_dataloader=None"]
    settings += ["default_hooks.checkpoint.save_best=None", "default_hooks.logger.interval=10"]
    settings += [f"default_hooks.checkpoint.interval={iterations // CHECKPOINTS}"]
    if "CLIP-LIT" in method:
        prompts = "train_cfg.loaders.prompts"
        settings += [f"{prompts}.batch_size=2"]
        settings += [f"{prompts}.dataset.pipeline.{step}.crop_size=48" for step in (2, 3)]
    settings += ["default_hooks.resources.type=NoteResources"]
    arguments = [METHODS[method], "--work-dir", work_dir, "--cfg-options", *settings]
    return start("train", arguments, work_dir.with_suffix(".log"))


def summary(method: str, work_dir: Path) -> tuple[str, bool]:
    """What became of memory, files and logs, in a line, and whether none of it grew."""
    lines = (work_dir / "resources.jsonl").read_text().splitlines()
    notes = [json.loads(line) for line in lines]
    late = notes[len(notes) * 3 // 4 :]
    steps, memory = (np.array([note[key] for note in late]) for key in ("iteration", "kb"))
    (slope, _), covariance = np.polyfit(steps, memory, 1, cov=True)
    error = float(np.sqrt(covariance[0, 0]))
    files = {note["files"] for note in late}
    logs = sum(path.stat().st_size for path in work_dir.glob("*/**/*") if path.is_file())
    kept = len(list(work_dir.glob("iter_*.pth")))
    told = (
        f"{method}: {notes[-1]['iteration']} iterations, {memory[-1] / 1000:.0f} MB, "
        f"{slope:+.2f} +- {error:.2f} kB per iteration, {min(files)} to {max(files)} open files, "
        f"{kept} checkpoints kept, {logs / 1000:.0f} kB of logs"
    )
    return told, slope < 3 * error + 1 and max(files) - min(files) <= 2


def main() -> int:
    """Train, and print what grew; 1 if anything did."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.long_run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--out", type=Path, default=Path("work_dirs/long_run"))
    given = parser.parse_args()
    flat = True
    for method in given.methods:
        work_dir = given.out.resolve() / method
        shutil.rmtree(work_dir, ignore_errors=True)
        process = train(method, work_dir, given.iterations)
        process.join()
        if process.exitcode:
            print(f"{method}: training ended with {process.exitcode}; see {work_dir}.log")
            return 1
        told, is_flat = summary(method, work_dir)
        print(told, flush=True)
        flat = flat and is_flat
    return 0 if flat else 1


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
