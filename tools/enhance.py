"""Enhance photos: `python tools/enhance.py PHOTO_OR_FOLDER... --out DIR`.

Of any size, in bounded memory; see docs/enhance.md. Folders keep their layout. What is there
already is skipped, so a run that was stopped goes on when it is started again. Photos that fail
are told and do not stop the others; the exit status is then 1.

Several processes share the photos: `torchrun --nproc-per-node 2 -m rave_mm enhance ...`.
"""

import argparse
import csv
import io
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, get_args

from rave_mm.inference.arithmetic import Precision, choose_device
from rave_mm.inference.bundled import BUNDLED_ENHANCER
from rave_mm.runtime.command import as_typed, stop
from rave_mm.runtime.memory import MAX_PIXELS, parse_memory

FORMATS = {
    "jpg": ".jpg",
    "png": ".png",
    "tiff": ".tif",
    "webp": ".webp",
    "avif": ".avif",
    "heic": ".heic",
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", type=Path, help="photos, and folders of photos")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--checkpoint",
        default=BUNDLED_ENHANCER,
        help="path or address (https://...), ours or a published one (default: the bundled one)",
    )
    parser.add_argument("--format", choices=FORMATS, help="of the results (default: as the photo)")
    parser.add_argument(
        "--strength", type=float, default=1, help="0 none, 1 full, above 1 more (default: 1)"
    )
    parser.add_argument(
        "--max-memory",
        type=parse_memory,
        metavar="SIZE",
        help="such as 2GB: of the process on a CPU, of the network on a GPU (default: half of "
        "what is free, at most 8GB)",
    )
    parser.add_argument(
        "--light-map-side",
        type=int,
        metavar="N",
        help="let the network look at photos reduced to N pixels of their long side, and apply its "
        "light map along their edges (default: what it was made for; the paper's network looks at "
        "all pixels)",
    )
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="float32",
        help="that the network computes in (default: float32); float16 needs a GPU",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument(
        "--padding-mode",
        choices=("reflect", "zeros"),
        default="reflect",
        help="of the paper's network (default: reflect, as in the published code)",
    )
    parser.add_argument(
        "--save-light-map", action="store_true", help="also write RESULT.light_map.png"
    )
    parser.add_argument("--compare", action="store_true", help="also write RESULT.compare.jpg")
    parser.add_argument(
        "--max-megapixels",
        type=float,
        default=MAX_PIXELS / 1e6,
        metavar="N",
        help="refuse photos of more, which may be small files that would fill the memory "
        f"(default: {MAX_PIXELS / 1e6:.0f})",
    )
    parser.add_argument("--replace", action="store_true", help="replace results that are there")
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes longer to import: --help and mistakes are told at once.
    given = parse_arguments()

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from rave_mm.inference.choosing import choose_enhancer
from rave_mm.inference.photo_jobs import PhotoJob, plan_jobs
from rave_mm.inference.photo_outcome import Outcome
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.photos.folders import first_few
from rave_mm.runtime.folder_in_use import FolderInUseError, only_run_in

if TYPE_CHECKING:
    from rave_mm.inference.photo_enhancer import PhotoEnhancer
    from rave_mm.inference.shipped import ShippedEnhancer

REPORT = "enhance.csv"
MEASURED = ("newly_clipped", "dark", "hue_shift", "green_shift")
COLUMNS = ("photo", "result", "status", *MEASURED, "reason")
SHOWN = 10


def check_writable(folder: Path) -> None:
    """Make a folder and try to write into it.

    Raises:
        OSError: It cannot be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".writable.{os.getpid()}"
    probe.touch()
    probe.unlink()


def append_report(path: Path, outcome: Outcome) -> None:
    """Add a photo's line to the table; one write, since other processes append to it too."""
    signs = outcome.signs
    measured = [f"{getattr(signs, name):.4f}" if signs else "" for name in MEASURED]
    row = [outcome.job.source, outcome.job.target, outcome.status, *measured, outcome.reason]
    # Names may be in no encoding at all; they are written as the bytes that they are.
    with path.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        writer.writerow(row)


def interrupt(asked: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, on SIGTERM too."""
    raise KeyboardInterrupt(asked)


def enhance(
    run: PhotoRun, jobs: Sequence[PhotoJob], out: Path, show: bool
) -> tuple[list[Outcome], int | None]:
    """Enhance photos with a progress bar and a table.

    Returns:
        What became of them, and the signal by which it was interrupted, if it was.
    """
    outcomes: list[Outcome] = []
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with (
            logging_redirect_tqdm(),
            tqdm(total=len(jobs), unit="photo", disable=not show, dynamic_ncols=True) as bar,
        ):
            for outcome in run(jobs):
                outcomes.append(outcome)
                if outcome.status != "skipped":
                    append_report(out / REPORT, outcome)
                bar.update()
    except KeyboardInterrupt as error:
        return outcomes, error.args[0] if error.args else signal.SIGINT
    return outcomes, None


def summary(
    outcomes: Iterable[Outcome], left_out: Sequence[tuple[Path, str]], seconds: float, out: Path
) -> str:
    """What was done, how fast, what was left out, and what to look at."""
    by_status: dict[str, list[Outcome]] = {"done": [], "skipped": [], "failed": []}
    for outcome in outcomes:
        by_status[outcome.status].append(outcome)
    done, skipped, failed = by_status.values()
    lines = [f"{len(done)} done, {len(skipped)} skipped, {len(failed)} failed in {seconds:.1f} s"]
    if done:
        pixels = sum(outcome.pixels for outcome in done)
        lines[0] += f": {len(done) / seconds:.2f} photos/s, {pixels / 1e6 / seconds:.2f} MP/s"
    if skipped:
        lines.append(f"skipped what is in {out} already; --replace replaces it")
    lines += [f"failed: {outcome.job.source}: {outcome.reason}" for outcome in failed]
    if left_out:
        lines.append(f"left out {len(left_out)} that are not read as photos:")
        lines.append(first_few([f"{path}: {reason}" for path, reason in left_out]))
    if noted := [f"{each.job.source} {note}" for each in done for note in each.notes]:
        lines.append(f"not everything is kept of {sum(bool(each.notes) for each in done)}:")
        lines.append(first_few(noted))
    suspect = [outcome for outcome in done if outcome.signs and outcome.signs.suspect]
    if suspect:
        lines.append(f"{len(suspect)} to look at (all of them: {out / REPORT}):")
        lines.append("  newly clipped  hue shift in dark  green shift in dark")
    for outcome in suspect[:SHOWN]:
        signs = outcome.signs
        assert signs is not None
        lines.append(
            f"  {signs.newly_clipped:13.1%}  {signs.hue_shift:13.1f} deg  "
            f"{signs.green_shift:+19.3f}  {outcome.job.target}"
        )
    return "\n".join(lines)


def gathered(outcomes: list[Outcome], processes: int) -> list[Outcome]:
    """The outcomes of all processes, once all have finished.

    torchrun ends the other processes when one ends with a status other than 0.
    """
    if processes == 1:
        return outcomes
    import torch.distributed as dist

    parts: list[list[Outcome]] = [[] for _ in range(processes)]
    dist.all_gather_object(parts, outcomes)
    return [outcome for part in parts for outcome in part]


def load_enhancer(arguments: argparse.Namespace) -> "PhotoEnhancer | ShippedEnhancer":
    """The enhancer that was asked for, on this process's own GPU."""
    device = arguments.device
    if "LOCAL_RANK" in os.environ and device != "cpu":
        chosen = choose_device(device)
        device = f"cuda:{os.environ['LOCAL_RANK']}" if chosen.type == "cuda" else "cpu"
    return choose_enhancer(
        checkpoint=arguments.checkpoint,
        device=device,
        padding_mode=arguments.padding_mode,
        light_map_side=arguments.light_map_side,
        precision=arguments.precision,
    )


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # for names of photos, whatever their encoding
            stream.reconfigure(errors="surrogateescape")
    rank, processes = (int(os.environ.get(name, n)) for name, n in (("RANK", 0), ("WORLD_SIZE", 1)))
    try:
        plan = plan_jobs(
            arguments.photos,
            arguments.out,
            extension=FORMATS.get(arguments.format),
            light_map=arguments.save_light_map,
            compare=arguments.compare,
        )
        check_writable(arguments.out)
        run = PhotoRun(
            load_enhancer(arguments),
            strength=arguments.strength,
            replace=arguments.replace,
            max_memory=arguments.max_memory,
            sharing=int(os.environ.get("LOCAL_WORLD_SIZE", 1)),
            max_pixels=round(arguments.max_megapixels * 1e6),
        )
    except (ImportError, OSError, ValueError) as error:
        stop(error)
    if processes > 1:
        import torch.distributed as dist

        # One process may have photos left long after another has finished.
        dist.init_process_group("gloo", timeout=timedelta(days=30))
    started = time.perf_counter()
    own = plan.jobs[rank::processes]
    # The first process keeps other runs out, which would do the same work.
    try:
        with only_run_in(arguments.out) if rank == 0 else nullcontext():
            outcomes, interrupted = enhance(run, own, arguments.out, show=rank == 0)
    except FolderInUseError as error:
        stop(error)
    if interrupted is not None:
        print(summary(outcomes, plan.left_out, time.perf_counter() - started, arguments.out))
        print(f"stopped with {len(own) - len(outcomes)} to go; the same command does these")
        sys.exit(128 + interrupted)
    outcomes = gathered(outcomes, processes)
    if rank == 0:
        seconds = time.perf_counter() - started
        print(summary(outcomes, plan.left_out, seconds, arguments.out))
    if processes > 1:
        dist.destroy_process_group()
    sys.exit(1 if any(outcome.status == "failed" for outcome in outcomes) else 0)


if __name__ == "__main__":
    main(given)
