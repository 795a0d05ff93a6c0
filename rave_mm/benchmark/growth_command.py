"""`tools/benchmark.py growth`: how cost grows with the work, as a table, a file and a plot."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

from rave_mm.benchmark import growth
from rave_mm.benchmark.growth import Point
from rave_mm.benchmark.record import save_record
from rave_mm.benchmark.table import text_table
from rave_mm.inference.arithmetic import choose_device
from rave_mm.runtime.command import stop

RECORD, PLOT = "growth.json", "growth.png"
HEADINGS = ("what", "amount", "seconds", "peak MB", "exponent")
_LISTS = ("sizes", "batches", "processes", "megapixels", "photos", "tokens")


def run(arguments: argparse.Namespace) -> None:
    """Measure, write file and plot after each part, and print the table; a mistake is a line."""
    try:
        device = choose_device(arguments.device)
    except ValueError as error:
        stop(error)
    for name in _LISTS:
        amounts = getattr(arguments, name)
        if len(amounts) < 2 or sorted(set(amounts)) != amounts or amounts[0] <= 0:
            shown = " ".join(f"{amount:g}" for amount in amounts)
            stop(f"--{name}: got {shown}, expected two or more amounts, growing")
    parts = {
        "step by size": lambda: growth.step_points(arguments.sizes, [2], device),
        "step by batch": lambda: growth.step_points([256], arguments.batches, device),
        "step by processes": lambda: growth.process_points(arguments.processes, 256, 2),
        "enhancing by megapixels": lambda: growth.enhancing_points(arguments.megapixels),
        "residual vector by photographs": lambda: growth.photo_points(arguments.photos),
        "vocabulary by words": lambda: growth.token_points(arguments.tokens),
    }
    arguments.work_dir.mkdir(parents=True, exist_ok=True)
    series: dict[str, list[Point]] = {}
    for name, measure in tqdm(parts.items(), unit="part"):
        try:
            found = measure()
        except RuntimeError as error:
            stop(f"{name}: {error}")
        if isinstance(found, dict):
            series |= {f"{name}, {network}": points for network, points in found.items()}
        else:
            series[name] = found
        save_record(arguments.work_dir / RECORD, device, series=growth.as_rows(series))
        draw(series, arguments.work_dir / PLOT)
    print(table(series))
    print(
        "exponent: from the last amount but one to the last, 1 is in proportion to the amount; "
        f"{arguments.work_dir / RECORD}, {arguments.work_dir / PLOT}"
    )


def table(series: dict[str, list[Point]]) -> str:
    """What was measured, as text."""
    lines: list[Sequence[str]] = [HEADINGS]
    for name, points in series.items():
        for point in points:
            memory = "" if point.peak_memory is None else f"{point.peak_memory / 1e6:.0f}"
            grows = f"{growth.exponent(points):.2f}" if point is points[-1] else ""
            lines.append((name, f"{point.amount:g}", f"{point.seconds:.3f}", memory, grows))
    return text_table(lines, left=(0,))


def draw(series: dict[str, list[Point]], path: Path) -> None:
    """A panel for each kind of work; a dashed line is what grows in proportion."""
    kinds = list(dict.fromkeys(name.partition(", ")[0] for name in series))
    figure = Figure(figsize=(10, 3.2 * ((len(kinds) + 2) // 3)), layout="constrained")
    for place, kind in enumerate(kinds, 1):
        axes = figure.add_subplot((len(kinds) + 2) // 3, 3, place)
        own = {name.partition(", ")[2]: series[name] for name in series if name.startswith(kind)}
        for network, points in own.items():
            amounts = [point.amount for point in points]
            drawn = axes.loglog(amounts, [point.seconds for point in points], "o-", label=network)
            last = points[-1]
            in_proportion = [last.seconds * amount / last.amount for amount in amounts]
            axes.loglog(amounts, in_proportion, "--", color=drawn[0].get_color(), linewidth=0.8)
        if len(own) > 1:
            axes.legend(fontsize=8)
        amount = kind.partition(" by ")[2]
        axes.set(title=kind, xlabel=_LABELS.get(amount, amount), ylabel="seconds")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


_LABELS = {"size": "megapixels, two photographs", "batch": "megapixels, 256×256 each"}
