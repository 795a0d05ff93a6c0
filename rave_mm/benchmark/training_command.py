"""`tools/benchmark.py training`: time and memory of RAVE's step, ours and the published."""

import argparse
from collections.abc import Sequence
from typing import Any

from rave_mm.benchmark.record import save_record
from rave_mm.benchmark.table import text_table
from rave_mm.inference.arithmetic import choose_device
from rave_mm.runtime.command import stop

RECORD = "training.json"
HEADINGS = ("size", "way", "seconds", "ratio", "peak MB", "floor", "loss")


def run(arguments: argparse.Namespace) -> None:
    """Measure, write the file, and print the table; a mistake ends with a line."""
    try:
        device = choose_device(arguments.device)
    except ValueError as error:
        stop(error)
    for name, value in (("--batch", arguments.batch), ("--steps", arguments.steps)):
        if value < 1:
            stop(f"{name}: got {value}, expected 1 or more")
    arguments.work_dir.mkdir(parents=True, exist_ok=True)
    # All of MMagic, which takes seconds, and which the other command does without.
    from rave_mm.benchmark.loader import photos_per_second
    from rave_mm.benchmark.training import measure

    sizes: list[dict[str, Any]] = []
    for size in arguments.sizes:
        rows = measure(size, arguments.batch, arguments.steps, device, arguments.compile)
        loader = photos_per_second(size, arguments.batch)
        sizes.append({"size": size, "rows": rows, "loader": loader})
        save_record(arguments.work_dir / RECORD, device, batch=arguments.batch, sizes=sizes)
    print(table(sizes))
    for measured in sizes:
        needed = arguments.batch / min(row["seconds"] for row in measured["rows"])
        print(
            f"{measured['size']}: the loader alone gives "
            f"{measured['loader']['photos_per_second']:.0f} photographs a second with "
            f"{measured['loader']['workers']} workers; the fastest step takes {needed:.0f}"
        )
    print(
        "seconds: median of a step; ratio: how many times as fast as the published way; peak: "
        "beyond the weights; floor: what the operations and bytes of a step take at the machine's "
        f"measured best; {arguments.work_dir / RECORD}"
    )


def table(sizes: Sequence[dict[str, Any]]) -> str:
    """What was measured, as text."""
    lines: list[tuple[str, ...]] = [HEADINGS]
    for measured in sizes:
        for row in measured["rows"]:
            floor = "" if row["floor"] is None else f"{row['floor']:.4f}"
            figures = (f"{row['seconds']:.4f}", f"{row['ratio']:.2f}")
            memory = f"{row['peak_memory'] / 1e6:.0f}"
            lines.append(
                (str(measured["size"]), row["way"], *figures, memory, floor, f"{row['loss']:.4f}")
            )
    return text_table(lines, left=(1,))
