"""`tools/benchmark.py enhancing`: time and memory of enhancing, at several sizes."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from skimage.data import data_dir
from tqdm import tqdm

from rave_mm.benchmark.enhancing import difference, make_photo, why_not
from rave_mm.benchmark.fresh_process import MeasurementError, in_fresh_process
from rave_mm.benchmark.record import save_record
from rave_mm.benchmark.table import text_table
from rave_mm.inference.arithmetic import choose_device
from rave_mm.inference.photo_enhancer import PhotoEnhancer
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.runtime.command import stop

RECORD = "enhancing.json"
HEADINGS = ("megapixels", "way", "seconds", "ratio", "peak MB", "largest", "dB", "")


def measure_size(
    arguments: argparse.Namespace, megapixels: float, folder: Path, bar: tqdm, sees_small: bool
) -> list[dict[str, Any]]:
    """Measure one size in each way; a way that fails has a `note` instead of figures."""
    photo = folder / "photo.npy"
    height, width = make_photo(arguments.photo, megapixels, photo)
    rows: list[dict[str, Any]] = []
    for way in arguments.ways:
        bar.set_postfix_str(f"{megapixels:g} MP, {way}")
        row: dict[str, Any] = {"megapixels": megapixels, "size": [width, height], "way": way}
        row["note"] = why_not(way, height, width, arguments.device, sees_small) or ""
        if not row["note"]:
            try:
                row |= in_fresh_process(
                    "rave_mm.benchmark.enhancing:measure",
                    way=way,
                    photo=str(photo),
                    result=str(folder / f"{way}.npy"),
                    checkpoint=arguments.checkpoint,
                    device=arguments.device,
                    max_memory=arguments.max_memory,
                )
            except MeasurementError as error:
                row["note"] = str(error)
        rows.append(row)
        bar.update()
    compare(rows, folder)
    return rows


def compare(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Add what each way is beside the first that was measured: the published one if it was."""
    measured = [row for row in rows if "seconds" in row]
    for row in measured[1:]:
        first = measured[0]
        apart = difference(folder / f"{first['way']}.npy", folder / f"{row['way']}.npy")
        row |= {"compared_with": first["way"], "ratio": first["seconds"] / row["seconds"], **apart}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as text."""
    lines = [HEADINGS]
    for row in rows:
        cells = [f"{row['megapixels']:g}", row["way"], *[""] * 5, row["note"]]
        if "seconds" in row:
            cells[2], cells[4] = f"{row['seconds']:.2f}", f"{row['peak_memory'] / 1e6:.0f}"
        if "compared_with" in row:
            psnr = "" if row["psnr"] is None else f"{row['psnr']:.1f}"
            cells[3], cells[5], cells[6] = f"{row['ratio']:.2f}", f"{row['largest']}", psnr
            cells[7] = f"compared with {row['compared_with']}"
        lines.append(tuple(cells))
    return text_table(lines, left=(0, 1, 7))


def run(arguments: argparse.Namespace) -> None:
    """Measure, write the file, and print the table; a mistake ends with a line."""
    rows: list[dict[str, Any]] = []
    arguments.photo = arguments.photo or Path(data_dir, "astronaut.png")
    try:
        device = choose_device(arguments.device)
        # What is wrong with any of these is told before anything is measured.
        enhancer = PhotoEnhancer(
            arguments.checkpoint, device="cpu", max_memory=arguments.max_memory
        )
        sees_small = enhancer.light_map_side is not None
        arguments.work_dir.mkdir(parents=True, exist_ok=True)
        count = len(arguments.megapixels) * len(arguments.ways)
        with tqdm(total=count, unit="measurement", dynamic_ncols=True) as bar:
            for megapixels in arguments.megapixels:
                with tempfile.TemporaryDirectory(dir=arguments.work_dir) as folder:
                    rows += measure_size(arguments, megapixels, Path(folder), bar, sees_small)
                save_record(  # after each size, for a run that is stopped
                    arguments.work_dir / RECORD,
                    device,
                    photo=str(arguments.photo),
                    checkpoint=arguments.checkpoint,
                    max_memory=arguments.max_memory,
                    rows=rows,
                )
    except (OSError, ValueError, UnreadablePhotoError) as error:
        stop(error)
    print(table(rows))
    print(
        f"ratio: how many times as fast; largest: difference, of 255; {torch.get_num_threads()} "
        f"CPU threads; {arguments.work_dir / RECORD}"
    )
