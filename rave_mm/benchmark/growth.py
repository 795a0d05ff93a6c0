"""How cost grows with the work: training, enhancing, and what a CLIP embeds."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import distributed
from torch.multiprocessing.spawn import start_processes

from rave_mm.benchmark.fresh_process import most_held
from rave_mm.benchmark.step_cost import spent_time
from rave_mm.benchmark.training import NETWORKS, random_clips, training_ways
from rave_mm.clip.encoder import load_clip
from rave_mm.clip.photo_embeddings import embed_photos
from rave_mm.clip.vocabulary import embed_first_tokens
from rave_mm.runtime import compat

_STEPS = 3
_FLOAT32 = {f"{name}, float32": name for name in NETWORKS}
_SMALL = "small view, float32"
_PHOTO_SIDE = 256


@dataclass(frozen=True)
class Point:
    """What an amount of work cost."""

    amount: float
    seconds: float
    peak_memory: int | None = None
    """Bytes, where it was measured."""


def step_points(
    sizes: Sequence[int], batches: Sequence[int], device: torch.device
) -> dict[str, list[Point]]:
    """Time RAVE's training step with each network, for several sizes and batches.

    Args:
        sizes: Heights and widths of the photographs; or one of them.
        batches: Numbers of photographs; or one of them.
        device: Where.

    Returns:
        For each network, a point for each size and batch, whose amount is the photographs' pixels
        together, in millions. Seconds are medians of three: of the process's own time on a CPU, of
        the clock's on a GPU.
    """
    points: dict[str, list[Point]] = {name: [] for name in NETWORKS}
    with random_clips() as clips:
        for size in sizes:
            for batch in batches:
                for way in training_ways(clips, size, batch, device, names=_FLOAT32):
                    way.step()  # what is tuned on first use is nobody's cost
                    times = [spent_time(way.step, device) for _ in range(_STEPS)]
                    points[_FLOAT32[way.name]].append(
                        Point(batch * size * size / 1e6, statistics.median(times))
                    )
    return points


def process_points(counts: Sequence[int], size: int, batch: int) -> list[Point]:
    """Time training in several processes on this machine's CPU, which share its cores (gloo).

    Args:
        counts: Numbers of processes.
        size: Height and width of the photographs.
        batch: Photographs of each process.

    Returns:
        A point for each count: seconds by the clock for a step of the network that sees small.
    """
    points = []
    with random_clips() as clips:
        for count in counts:
            with tempfile.TemporaryDirectory() as folder:
                given = (count, folder, clips, size, batch)
                # Not "spawn": a caller can have the server import what all of them need.
                start_processes(_time_steps, given, count, start_method="forkserver")
                points.append(Point(count, float(Path(folder, "seconds").read_text())))
    return points


def _time_steps(
    rank: int, count: int, folder: str, clips: dict[str, dict[str, str]], size: int, batch: int
) -> None:
    compat.apply()  # this is a new process
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // count))
    distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=count)
    (way,) = training_ways(clips, size, batch, torch.device("cpu"), names=[_SMALL])
    way.step()
    distributed.barrier()
    started = time.perf_counter()
    for _ in range(_STEPS):
        way.step()
    distributed.barrier()
    if rank == 0:
        Path(folder, "seconds").write_text(str((time.perf_counter() - started) / _STEPS))
    distributed.destroy_process_group()


def enhancing_points(megapixels: Sequence[float]) -> list[Point]:
    """Time the whole command `rave-mm enhance` for a JPEG file of each size, by the clock.

    Args:
        megapixels: The sizes, in millions of pixels.

    Returns:
        A point for each, with the most memory that the command held.

    Raises:
        RuntimeError: The command failed; the message is its own.
    """
    # Slow to import where it is not used.
    import pyvips

    points = []
    for size in megapixels:
        with tempfile.TemporaryDirectory() as folder:
            photo = pyvips.Image.new_from_array(skimage.data.astronaut())
            scale = (size * 1e6 / (photo.width * photo.height)) ** 0.5
            photo.resize(scale).jpegsave(f"{folder}/photo.jpg", Q=92)
            command = [sys.executable, "-m", "rave_mm", "enhance", f"{folder}/photo.jpg"]
            command += ["--out", f"{folder}/out", "--max-megapixels", str(2 * size)]
            started, peak = time.perf_counter(), 0
            with Path(folder, "said").open("wb") as said:
                process = subprocess.Popen(command, stdout=said, stderr=said)
                while process.poll() is None:
                    peak = max(peak, most_held(process.pid))
                    time.sleep(0.01)
            seconds = time.perf_counter() - started
            if process.returncode:
                raise RuntimeError(Path(folder, "said").read_text().strip())
            points.append(Point(size, seconds, peak))
    return points


def photo_points(counts: Sequence[int]) -> list[Point]:
    """Time what a residual vector takes: photographs, embedded with the bundled CLIP, by the clock.

    Args:
        counts: Numbers of photographs: JPEG files of 256×256 pixels, no two alike.
    """
    clip = load_clip()
    points = []
    picture = Image.fromarray(skimage.data.astronaut()).resize((_PHOTO_SIDE, _PHOTO_SIDE))
    # A cache of its own: embeddings that are known would cost nothing.
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"XDG_CACHE_HOME": folder}),
    ):
        paths: list[Path] = []
        for count in counts:
            for number in range(len(paths), count):
                paths.append(Path(folder, f"{number}.jpg"))
                picture.rotate(number * 0.036).save(paths[-1], quality=90)
            started = time.perf_counter()
            embed_photos(clip, paths[:count])
            points.append(Point(count, time.perf_counter() - started))
    return points


def token_points(counts: Sequence[int]) -> list[Point]:
    """Time the embedding of tokens of CLIP's vocabulary, with the bundled CLIP, by the clock.

    Args:
        counts: Numbers of tokens, at most 49,408.
    """
    clip = load_clip()
    points = []
    for count in counts:
        started = time.perf_counter()
        embed_first_tokens(clip, count)
        points.append(Point(count, time.perf_counter() - started))
    return points


def exponent(points: Sequence[Point]) -> float:
    """How cost grows at the end, between the last two amounts.

    Returns:
        The power of the amount that it grows with: 1 is in proportion, 0 not at all.
    """
    before, last = points[-2:]
    return float(np.log(last.seconds / before.seconds) / np.log(last.amount / before.amount))


def as_rows(series: dict[str, list[Point]]) -> dict[str, list[dict[str, Any]]]:
    """Series of points as JSON has them."""
    return {name: [asdict(point) for point in points] for name, points in series.items()}
