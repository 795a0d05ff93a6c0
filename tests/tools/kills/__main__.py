"""Kills trainings and enhancing at random moments, and sees whether anything is lost.

    python -m tests.tools.kills --trials 50

Run it where `python tools/prepare_data.py demo` has made data/demo. Each trial is killed (SIGKILL)
again and again: six times in ten while a file is being written, else at any moment. A training has
checkpoints at all of its few iterations, and `--resume` goes on each time: no file with a
checkpoint's name may ever be cut off, and the last weights must be those of a training that nobody
killed, to the last bit. Of enhancing, each result must be whole or absent, and none be made twice.
What is left of a trial that fails stays.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from tests.tools.kills import enhancing, training

PHOTOS = Path("data/demo/test/resize_input")
KINDS = (*training.METHODS, "enhancing")


def trials(kind: str, folder: Path) -> Callable[[int, int], tuple[int, str]]:
    """Do once what is then to be killed; the trials take a seed and how many kills at most."""
    if kind == "enhancing":
        return partial(enhancing.trial, PHOTOS, folder, enhancing.uninterrupted(PHOTOS, folder))
    return partial(training.trial, kind, folder, training.uninterrupted(kind, folder))


def main() -> int:
    """Run the trials, and print what came of them; 1 if any failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--trials", type=int, default=50, help="of each kind (default: 50)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="default: all")
    parser.add_argument("--most-kills", type=int, default=5, help="of a trial (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of the first trial (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/kills"))
    given = parser.parse_args()
    failed = 0
    for kind in given.kinds:
        folder = given.out / kind
        shutil.rmtree(folder, ignore_errors=True)
        trial = trials(kind, folder.resolve())
        kills = passed = 0
        for seed in tqdm(range(given.seed, given.seed + given.trials), kind, unit="trial"):
            killed, wrong = trial(seed, given.most_kills)
            kills += killed
            if wrong:
                tqdm.write(f"{kind}, trial {seed}: {wrong}")
                continue
            passed += 1
            for path in folder.glob(f"trial_{seed}*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        failed += given.trials - passed
        print(f"{kind}: {kills} kills in {given.trials} trials; nothing was lost in {passed}")
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
