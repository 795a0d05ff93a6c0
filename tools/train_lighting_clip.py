"""Train the bundled lighting CLIP.

It is a small image-text model that knows under which light a photo was taken, and what spoils it.
It reads the photographs that `tools/prepare_data.py lighting-clip` collects, draws lessons from
them (rave_mm/datasets/lighting_lessons.py), trains an open_clip model on them from random weights,
tests it on photographs of other scenes, and writes a folder that open_clip reads as
`local-dir:FOLDER`. The same seed on the same machine gives the same weights.

Two processes share the work, each on one core, which is faster than one process with two threads.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rave_mm.runtime.command import as_typed


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photos",
        type=Path,
        default=Path("data/lighting_clip"),
        help="folder with train/ and test/",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("work_dirs/lighting_clip"), help="where the model goes"
    )
    parser.add_argument("--steps", type=int, help="of each stage, to try it out (default: all)")
    parser.add_argument(
        "--scenes",
        type=int,
        default=8,
        help="in a batch of each process, of four lessons each (default: 8)",
    )
    parser.add_argument("--processes", type=int, default=2, help="default: 2")
    parser.add_argument(
        "--width",
        type=int,
        default=32,
        help="channels of the image tower's first stage (default: 32, a file of 20 MB)",
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.lighting_model import save_model
from rave_mm.clip.lighting_report import lighting_report
from rave_mm.clip.lighting_training import STAGES, train
from rave_mm.runtime.whole_files import write_whole


def _train_in_process(rank: int, meeting_point: str, given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", f"file://{meeting_point}", rank=rank, world_size=given.processes
    )
    stages = [replace(stage, steps=given.steps or stage.steps) for stage in STAGES]
    model = train(given.photos / "train", given.scenes, given.seed, stages, given.width)
    if rank == 0:
        save_model(model, given.out, given.width)
    distributed.destroy_process_group()


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    started = time.time()
    with tempfile.TemporaryDirectory() as folder:
        spawn(_train_in_process, (f"{folder}/meeting_point", arguments), arguments.processes)
    figures = lighting_report(FrozenCLIP(f"local-dir:{arguments.out}"), arguments.photos / "test")
    figures["minutes"] = round((time.time() - started) / 60, 1)
    write_whole(arguments.out / "report.json", json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(given)
