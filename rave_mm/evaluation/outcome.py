"""What a test found."""

from dataclasses import dataclass, field
from typing import Any


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
