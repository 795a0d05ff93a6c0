"""How long enhancing a photograph takes, and how much memory, in each of three ways."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rave_mm.benchmark.arguments import Way
from rave_mm.benchmark.fresh_process import peak_memory, timed
from rave_mm.inference.arithmetic import choose_device
from rave_mm.inference.photo_enhancer import PhotoEnhancer
from rave_mm.inference.tiling import BYTES_PER_PIXEL
from rave_mm.photos.reading import read_photo_8_bit
from rave_mm.runtime.memory import free_memory

SMALL_SIDE = 384
"""How many pixels of the long side a network that was made for all pixels sees in the small way."""

_ROWS_AT_ONCE = 256


def make_photo(source: Path, megapixels: float, out: Path) -> tuple[int, int]:
    """Scale a photograph to so many megapixels, as an array file.

    Args:
        source: The photograph.
        megapixels: Its new size, in millions of pixels, at the same proportions.
        out: A file for NumPy: uint8 (H, W, 3).

    Returns:
        Height and width.
    """
    with Image.fromarray(read_photo_8_bit(source)) as photo:
        scale = math.sqrt(megapixels * 1e6 / (photo.width * photo.height))
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        np.save(out, np.asarray(photo.resize(size, Image.Resampling.LANCZOS)))
    return size[1], size[0]


def why_not(way: Way, height: int, width: int, device: str, sees_small: bool) -> str | None:
    """Why a way cannot be measured for a size; None if it can.

    The published way holds the features of the whole photograph, unless the network sees small
    (`sees_small`). One that does has no tiles.
    """
    if sees_small:
        return "this network looks at a small view" if way == "exact" else None
    needed, free = height * width * BYTES_PER_PIXEL, free_memory(choose_device(device))
    if way != "published" or needed < free:
        return None
    return f"would take about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"


def measure(
    way: Way,
    photo: str,
    result: str,
    checkpoint: str,
    device: str,
    max_memory: int | None,
) -> dict[str, Any]:
    """Enhance a photograph, from an array in main memory to another.

    Args:
        way: "published": the whole photograph at once in float32, as the published script does;
            "exact": in tiles; "small": from a view, of `SMALL_SIDE` pixels or the network's own.
        photo: A file for NumPy, uint8 (H, W, 3).
        result: Where the enhanced photograph goes, alike.
        checkpoint: Of the network.
        device: "auto", "cpu" or "cuda".
        max_memory: Bytes for the network, of the two ways that can be told.

    Returns:
        `seconds`, `cpu_seconds`, and `peak_memory` in bytes: of the process on a CPU, of the
        device on a GPU.
    """
    pixels = np.load(photo)
    # What is loaded or tuned on first use is nobody's cost.
    if way == "published":
        os.environ["THP_MEM_ALLOC_ENABLE"] = "0"  # huge pages, which are this project's addition
    enhancer = PhotoEnhancer(
        checkpoint,
        device=device,
        max_memory=None if way == "published" else max_memory,
    )
    if way == "small" and enhancer.light_map_side is None:
        enhancer.light_map_side = SMALL_SIDE

    def enhance(given: np.ndarray) -> np.ndarray:
        return _published_way(enhancer, given) if way == "published" else enhancer.enhance(given)

    enhance(pixels[:64, :64])
    enhanced, times = timed(lambda: enhance(pixels), enhancer.device)
    peak = peak_memory(enhancer.device)
    np.save(result, enhanced)
    return {**times, "peak_memory": peak}


def difference(one: Path, other: Path) -> dict[str, float | None]:
    """How far two results are apart, read piece by piece.

    Args:
        one: A file for NumPy, uint8 (H, W, 3).
        other: Another of the same size.

    Returns:
        `largest`, in steps of 8 bits, and `psnr` in dB, None for equal results.
    """
    a, b = (np.load(path, mmap_mode="r") for path in (one, other))
    largest, squares = 0, 0.0
    for top in range(0, len(a), _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        apart = np.abs(a[rows].astype(np.int32) - b[rows])
        largest, squares = max(largest, int(apart.max())), squares + float(np.square(apart).sum())
    psnr = 10 * math.log10(255**2 * a.size / squares) if squares else None
    return {"largest": largest, "psnr": psnr}


@torch.no_grad()
def _published_way(enhancer: PhotoEnhancer, pixels: np.ndarray) -> np.ndarray:
    """The published script's steps, written anew, with this project's network."""
    photo = torch.from_numpy(pixels / 255).float().permute(2, 0, 1)[None].to(enhancer.device)
    light_map: Tensor = enhancer.network(photo)
    enhanced = (photo / light_map).clamp(0, 1)[0].permute(1, 2, 0)
    return (enhanced * 255).round().to(torch.uint8).cpu().numpy()
