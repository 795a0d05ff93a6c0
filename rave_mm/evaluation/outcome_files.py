"""The files that say what a test found: JSON, CSV and HTML."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rave_mm.evaluation.outcome import TestOutcome
from rave_mm.evaluation.report import build_report
from rave_mm.evaluation.showcase import Shown
from rave_mm.runtime.whole_files import write_whole

_DIGITS = 6


def write_outcome(
    folder: Path,
    outcome: TestOutcome,
    shown: Sequence[Shown],
    leading: str | None,
    names: Mapping[str, str],
) -> None:
    """Write ``report.json``, ``photos.csv`` and ``report.html``; each is whole or not there.

    Args:
        folder: Where to.
        outcome: What was found.
        shown: Photos to show, by rising gain.
        leading: The metric whose gain they are sorted by, or None.
        names: The name of each photo, by its path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "report.json", to_json(json_record(outcome)))
    write_whole(folder / "photos.csv", csv_table(outcome))
    write_whole(folder / "report.html", build_report(outcome, shown, leading, names))


def json_record(outcome: TestOutcome) -> dict[str, Any]:
    """The content of ``report.json``."""
    return {
        "protocol": outcome.protocol,
        "figures": {name: asdict(figure) for name, figure in outcome.figures.items()},
        "not_computed": outcome.not_computed,
        **outcome.facts,
    }


def to_json(value: Any) -> str:
    """JSON text; what is not finite, as the PSNR of equal pictures, becomes "inf" or "nan"."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else str(value)
    return value


def csv_table(outcome: TestOutcome) -> str:
    """The content of ``photos.csv``: a line for each photo, three columns for each metric."""
    metrics = list(outcome.rows[0].figures) if outcome.rows else []
    header = ["name"]
    for metric in metrics:
        header += [metric, f"input/{metric}", f"gain/{metric}"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in outcome.rows:
        cells: list[str | float] = [row.name]
        for metric in metrics:
            found = row.figures[metric]
            cells += [round(value, _DIGITS) for value in found] if found else ["", "", ""]
        writer.writerow(cells)
    return text.getvalue()
