"""What the runs of an ablation found: a table of each run, one of each setting, and a figure."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rave_mm.direction.figures import write_figure

_INPUT = "input/"


@dataclass(frozen=True)
class Result:
    """A run with its figures, as `tools/test.py --out` writes them."""

    labels: tuple[str, ...]
    """The setting on each axis."""
    seed: int
    key: str
    """Where its files are: `runs/KEY`."""
    figures: dict[str, float] | None
    """By metric, the input's under `input/`; None of a run that failed."""
    seconds: float = math.nan
    """Since it was last started: of a run that was interrupted, not the time before."""
    complete: bool = True
    """Whether all metrics that were asked for could be computed."""


def metrics_of(results: Sequence[Result]) -> list[str]:
    """The metrics of the results, without the input's."""
    names = [name for result in results for name in result.figures or {}]
    return [name for name in dict.fromkeys(names) if not name.startswith(_INPUT)]


def runs_csv(axes: Sequence[str], results: Sequence[Result]) -> str:
    """A line for each run; figures of one that failed are empty."""
    metrics = metrics_of(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [*axes, "seed", *metrics, *(_INPUT + name for name in metrics), "seconds", "run"]
    )
    for result in results:
        found = result.figures or {}
        cells = [found.get(name, "") for name in (*metrics, *(_INPUT + name for name in metrics))]
        seconds = "" if result.figures is None else round(result.seconds, 1)
        writer.writerow([*result.labels, result.seed, *cells, seconds, result.key])
    return text.getvalue()


def settings_table(axes: Sequence[str], results: Sequence[Result]) -> str:
    """Markdown: a line for each setting, mean and standard deviation over its seeds.

    The standard deviation is that of a sample (n - 1).
    """
    metrics = metrics_of(results)
    rows = [[*axes, *metrics, "runs"], ["---"] * (len(axes) + len(metrics) + 1)]
    inputs = next((result.figures for result in results if result.figures), None)
    if inputs:
        cells = [
            f"{inputs[_INPUT + name]:.3f}" if _INPUT + name in inputs else "" for name in metrics
        ]
        rows.append(["input", *[""] * (len(axes) - 1), *cells, ""])
    for labels, found in by_setting(results).items():
        done = [result.figures for result in found if result.figures is not None]
        told = str(len(found)) if len(done) == len(found) else f"{len(done)} of {len(found)}"
        spread = [
            _spread([figures[name] for figures in done if name in figures]) if done else "failed"
            for name in metrics
        ]
        rows.append([*labels, *spread, told])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def by_setting(results: Sequence[Result]) -> dict[tuple[str, ...], list[Result]]:
    """The results of each setting, in their order."""
    grouped: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        grouped.setdefault(result.labels, []).append(result)
    return grouped


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "not computed"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def draw_results(axes: Sequence[str], results: Sequence[Result], path: Path) -> None:
    """Write a PNG: for each metric a dot of each run, the means, and a line at the input's figure.

    The settings of the first axis are side by side; each combination of the others has a colour.
    Means are joined where those settings are numbers: other settings have no order.
    """
    metrics = metrics_of(results)
    if not metrics:
        raise ValueError("no run has figures, so there is nothing to draw")
    figure = Figure(figsize=(5.5 * len(metrics), 4.2), layout="constrained")
    places = {
        label: place for place, label in enumerate(dict.fromkeys(r.labels[0] for r in results))
    }
    lines = list(dict.fromkeys(result.labels[1:] for result in results))
    marks = "_-" if all(map(_is_number, places)) else "_"
    for panel, metric in zip(
        figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True
    ):
        for number, line in enumerate(lines):
            dots = [
                (places[result.labels[0]], (result.figures or {})[metric])
                for result in results
                if result.labels[1:] == line and metric in (result.figures or {})
            ]
            if not dots:
                continue
            across, up = np.array(dots).T
            colour = f"C{number}"
            panel.scatter(across, up, s=18, alpha=0.6, color=colour)
            used = np.unique(across)
            means = [up[across == place].mean() for place in used]
            panel.plot(used, means, marks, color=colour, markersize=22, label=", ".join(line))
        inputs = {
            r.figures[_INPUT + metric]
            for r in results
            if r.figures and _INPUT + metric in r.figures
        }
        for value in inputs:
            panel.axhline(value, color="gray", linestyle=":")
        tilt = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(places) > 4 else {}
        panel.set_xticks(list(places.values()), list(places), parse_math=False, **tilt)
        panel.set_xlabel(axes[0], parse_math=False)
        panel.set_ylabel(metric)
        if len(lines) > 1:
            panel.legend(title=", ".join(axes[1:]))
    write_figure(figure, path)
