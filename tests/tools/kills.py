"""Kills trainings at random moments, and sees whether they end as if nothing had happened.

    python tests/tools/kills.py --trials 50

Run it where `python tools/prepare_data.py demo` has made data/demo. Each trial trains a demo with a
few iterations, checkpoints at all of them, and is killed (SIGKILL) again and again: six times in
ten while a checkpoint is being written, else at any moment. `--resume` goes on each time. No file
with a checkpoint's name may ever be cut off; the last weights must be those of a training that
nobody killed, to the last bit. What is left of a trial that fails stays.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo import TINY, tiny_schedule  # noqa: E402

METHODS = {
    "RAVE": "demo/rave_demo.py",
    "CLIP-LIT": "demo/clip_lit_demo.py",
    "CLIP-LIT-Latent": "demo/clip_lit_latent_demo.py",
}
ITERATIONS = 3
WHILE_SAVING = 0.6


def start(config: str, work_dir: Path) -> "subprocess.Popen[bytes]":
    settings = [*TINY, *tiny_schedule(config, ITERATIONS)]
    settings += ["default_hooks.checkpoint.interval=1", "val_cfg=None", "val_evaluator=None"]
    settings += ["val_dataloader=None", "default_hooks.checkpoint.save_best=None"]
    settings += ["default_hooks.checkpoint.max_keep_ckpts=-1"]
    command = [sys.executable, str(ROOT / "tools/train.py"), config, "--work-dir", str(work_dir)]
    with (work_dir.parent / f"{work_dir.name}.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--resume", "--cfg-options", *settings],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*iter_*.pth*")}


def wait(process: "subprocess.Popen[bytes]", work_dir: Path, rng: random.Random) -> bool:
    """Wait for the moment to kill; whether the training ended before it."""
    if rng.random() < WHILE_SAVING:
        # A file beside the checkpoints: one is being written. Now, or a little later.
        before = files(work_dir)
        skip, moment = rng.randrange(2), rng.uniform(0, 0.01)
        while process.poll() is None:
            now = files(work_dir)
            if now != before:
                before, skip = now, skip - 1
                if skip < 0:
                    time.sleep(moment)
                    return process.poll() is not None
            time.sleep(0.0005)
        return True
    try:
        process.wait(rng.uniform(0.5, 20))
    except subprocess.TimeoutExpired:
        return False
    return True


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location="cpu", weights_only=False)["state_dict"]


def last(work_dir: Path) -> Path:
    return max(work_dir.glob("iter_*.pth"), key=lambda path: int(path.stem.partition("_")[2]))


def uninterrupted(config: str, work_dir: Path) -> dict[str, torch.Tensor]:
    work_dir.mkdir(parents=True)
    assert start(config, work_dir).wait() == 0, f"{work_dir}.log"
    return weights(last(work_dir))


def trial(
    config: str, work_dir: Path, wanted: dict[str, torch.Tensor], seed: int, most: int
) -> tuple[int, str]:
    """Train with kills.

    Returns:
        How many kills there were, and what went wrong, "" if nothing.
    """
    rng = random.Random(seed)
    work_dir.mkdir(parents=True)
    kills = 0
    while True:
        process = start(config, work_dir)
        ended = process.wait() is not None if kills == most else wait(process, work_dir, rng)
        if ended:
            break
        process.kill()
        process.wait()
        kills += 1
        for path in work_dir.glob("iter_*.pth"):
            try:
                weights(path)
            except Exception as error:  # whatever reading a cut file raises
                return kills, f"{path} after kill {kills}: {error!r}"
    if process.returncode != 0:
        return kills, f"--resume ended with {process.returncode} after {kills} kills"
    found = weights(last(work_dir))
    different = [name for name in wanted if not torch.equal(wanted[name], found[name])]
    return kills, f"not as without kills: {', '.join(different)}" if different else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=50, help="of each method (default: 50)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--most", type=int, default=5, help="kills of a trial (default: 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/kills"))
    given = parser.parse_args(arguments)
    failures = 0
    for method in given.methods:
        folder = given.out / method
        shutil.rmtree(folder, ignore_errors=True)
        wanted = uninterrupted(METHODS[method], folder / "uninterrupted")
        kills, equal = 0, 0
        for number in range(given.trials):
            place = folder / f"trial_{number}"
            count, wrong = trial(METHODS[method], place, wanted, given.seed + number, given.most)
            kills, equal = kills + count, equal + (not wrong)
            if wrong:
                print(f"{method}, trial {number}: {wrong}", flush=True)
            else:
                shutil.rmtree(place)
        failures += given.trials - equal
        print(f"{method}: {kills} kills in {given.trials} trials, {equal} ended to the last bit")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
