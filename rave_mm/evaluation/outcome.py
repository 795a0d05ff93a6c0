"""What a test found, and the files that say so: JSON, CSV and HTML."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rave_mm.evaluation.report import build_report
from rave_mm.evaluation.showcase import Shown
from rave_mm.runtime.whole_files import write_whole

_DIGITS = 6


@dataclass(frozen=True)
class Figure:
    """A figure of all photos.

    Attributes:
        result: Of the results.
        input: Of the photos as they were.
        gain: How much better the result is: above 0 is better, whichever way the metric counts.
        better: "higher" or "lower".
    """

    result: float
    input: float
    gain: float
    better: str


@dataclass(frozen=True)
class PhotoRow:
    """A photo's figures, by metric: of the result, of the input, and the gain; None without."""

    name: str
    figures: dict[str, tuple[float, float, float] | None]


@dataclass
class TestOutcome:
    """All that is known of a test.

    Attributes:
        protocol: Its name.
        figures: By metric, in the protocol's order.
        not_computed: By metric, why and what to do.
        rows: A photo each, sorted by name.
        facts: What stands in the JSON file beside.
    """

    __test__ = False  # for pytest

    protocol: str
    figures: dict[str, Figure]
    not_computed: dict[str, dict[str, str]]
    rows: list[PhotoRow]
    facts: dict[str, Any] = field(default_factory=dict)

    def table(self) -> str:
        """The figures, as lines to print."""
        width = max([len(name) for name in (*self.figures, *self.not_computed)], default=0) + 2
        lines = [f"protocol {self.protocol}, {len(self.rows)} photos"]
        lines.append(f"{'':{width}}{'input':>10}{'result':>10}{'gain':>10}")
        for name, figure in self.figures.items():
            lines.append(
                f"{name:{width}}{figure.input:10.4f}{figure.result:10.4f}{figure.gain:+10.4f}"
            )
        lines += [
            f"{name:{width}}not computed: {why['reason']}"
            for name, why in self.not_computed.items()
        ]
        return "\n".join(lines)


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
