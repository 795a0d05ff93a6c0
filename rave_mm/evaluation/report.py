"""A test's report as one HTML page that asks for nothing outside itself."""

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from PIL import Image

from rave_mm.evaluation.outcome import PhotoRow, TestOutcome
from rave_mm.evaluation.report_page import PAGE
from rave_mm.evaluation.showcase import Shown

COMPONENT = Path(__file__).with_name("before_after")
"""The element that shows two pictures under a divider; the page of ``tools/web.py`` has it too."""

_ARROWS = {"higher": "↑", "lower": "↓"}
_BINS = 20
_WIDTH, _HEIGHT, _HEAD, _FOOT = 320, 136, 16, 18


def build_report(
    outcome: TestOutcome,
    shown: Sequence[Shown],
    leading: str | None,
    names: Mapping[str, str],
) -> str:
    """The page: figures, what was not computed, distributions, photos before and after.

    Args:
        outcome: What was found.
        shown: All photos, by rising gain; none where no figure could be computed.
        leading: The metric whose gain that is, or None.
        names: The name of each photo, by its path.
    """
    title = f"Test of {len(outcome.rows)} photos, protocol {outcome.protocol}"
    metrics = outcome.rows[0].figures if outcome.rows else ()
    rows = {row.name: row for row in outcome.rows}
    return Template(PAGE).substitute(
        title=html.escape(title),
        style=(COMPONENT / "before_after.css").read_text(encoding="utf-8"),
        script=(COMPONENT / "before_after.js").read_text(encoding="utf-8"),
        figures=_figures(outcome),
        not_computed=_not_computed(outcome),
        distributions="".join(_distribution(outcome, metric) for metric in metrics),
        order=html.escape(_order(len(outcome.rows), bool(shown), leading)),
        photos="".join(_photo(rows[names[photo.path]], photo) for photo in shown),
        facts=_facts(outcome),
    )


def _order(count: int, shown: bool, leading: str | None) -> str:
    if not shown:
        return f"None of the {count} photos is shown, since no figure could be computed."
    by = f"by gain in {leading}, the least gain first" if leading else "by name"
    return f"All {count} photos, sorted {by}."


def _number(value: float, signed: bool = False) -> str:
    return f"{value:+.4f}" if signed else f"{value:.4f}"


def _figures(outcome: TestOutcome) -> str:
    rows = [
        f"<tr><th scope=row>{html.escape(name)} <abbr title='{figure.better} is better'>"
        f"{_ARROWS[figure.better]}</abbr></th><td>{_number(figure.input)}</td>"
        f"<td>{_number(figure.result)}</td><td>{_number(figure.gain, signed=True)}</td></tr>"
        for name, figure in outcome.figures.items()
    ]
    return "".join(rows) or "<tr><td colspan=4>none</td></tr>"


def _not_computed(outcome: TestOutcome) -> str:
    if not outcome.not_computed:
        return "<p>Every figure that was asked for was computed.</p>"
    items = [
        f"<li><strong>{html.escape(name)}</strong>: {html.escape(why['reason'])}. "
        f"{html.escape(why['remedy'])}.</li>"
        for name, why in outcome.not_computed.items()
    ]
    return f"<p class=warning>Not computed:</p><ul>{''.join(items)}</ul>"


def _distribution(outcome: TestOutcome, metric: str) -> str:
    found = [values for row in outcome.rows if (values := row.figures[metric])]
    return histogram(metric, [result for result, _, _ in found], [photo for _, photo, _ in found])


def histogram(metric: str, results: Sequence[float], inputs: Sequence[float]) -> str:
    """How a metric is distributed over photos, as a figure with inline SVG.

    Args:
        metric: Its name.
        results: A value for each photo; what is not finite is left out, and said.
        inputs: Likewise, of the inputs.
    """
    series = {"input": _finite(inputs), "result": _finite(results)}
    values = series["input"] + series["result"]
    left_out = len(results) + len(inputs) - len(values)
    if not values:
        return f"<figure><figcaption>{html.escape(metric)}: no values</figcaption></figure>"
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    counts = {name: [0] * _BINS for name in series}
    for name, found in series.items():
        for value in found:
            counts[name][min(int((value - low) / span * _BINS), _BINS - 1)] += 1
    most = max(max(bins) for bins in counts.values())
    step, room = _WIDTH / _BINS, _HEIGHT - _HEAD - _FOOT
    bars = "".join(
        f'<rect class="{name}" x="{index * step:.1f}" y="{_HEAD + room * (1 - count / most):.1f}" '
        f'width="{step - 1:.1f}" height="{room * count / most:.1f}"><title>{name}: {count} from '
        f"{low + span * index / _BINS:.4g} to {low + span * (index + 1) / _BINS:.4g}</title></rect>"
        for name, bins in counts.items()
        for index, count in enumerate(bins)
        if count
    )
    note = f", {left_out} infinite values left out" if left_out else ""
    name = html.escape(metric)
    return (
        f"<figure class=distribution><figcaption>{name}{note}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Distribution of {name} '
        f'from {low:.4g} to {high:.4g}, at most {most} photos in a step">'
        f'<path class="most" d="M0 {_HEAD}H{_WIDTH}"/><text x="0" y="{_HEAD - 4}">{most} '
        f"photo{'s' if most > 1 else ''}</text>{bars}"
        f'<text x="0" y="{_HEIGHT - 4}">{low:.4g}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{high:.4g}</text></svg></figure>'
    )


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _photo(row: PhotoRow, photo: Shown) -> str:
    cells = []
    for metric, found in row.figures.items():
        told = (
            "none"
            if found is None
            else (f"{_number(found[1])} → {_number(found[0])} ({_number(found[2], signed=True)})")
        )
        cells.append(f"<dt>{html.escape(metric)}</dt><dd>{told}</dd>")
    shown = html.escape(row.name)
    pictures = {"input": photo.before, "result": photo.after, "ground truth": photo.truth}
    images = "".join(
        f'<img data-name="{name}" alt="{shown}, {name}" {_picture(jpeg)}>'
        for name, jpeg in pictures.items()
        if jpeg is not None
    )
    # rave_mm.web.records finds the pictures by this form.
    return (
        f'<figure class=photo><figcaption>{shown}</figcaption><before-after label="{shown}">'
        f"{images}</before-after><dl>{''.join(cells)}</dl></figure>"
    )


def _picture(jpeg: bytes) -> str:
    """What an image element says of a picture that is decoded when it comes into view."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        width, height = picture.size
    data = base64.b64encode(jpeg).decode()
    return (
        f'width={width} height={height} loading=lazy decoding=async src="data:image/jpeg;base64,'
        f'{data}"'
    )


def _facts(outcome: TestOutcome) -> str:
    facts = outcome.facts
    photos = facts.get("photos", {})
    checkpoint = facts.get("checkpoint", {})
    told = {
        "protocol": outcome.protocol,
        "config": facts.get("config", ""),
        "checkpoint": f"{checkpoint.get('file', '')} (sha256 {checkpoint.get('sha256', '')})",
        "photos": f"{photos.get('count', 0)}, list sha256 {photos.get('list_sha256', '')}",
        "versions": ", ".join(f"{k} {v}" for k, v in facts.get("versions", {}).items()),
        "date": facts.get("date", ""),
    }
    for names in photos.get("equal", []):
        told["equal photos"] = "; ".join(filter(None, [told.get("equal photos"), ", ".join(names)]))
    return "".join(
        f"<dt>{html.escape(key)}</dt><dd>{html.escape(str(value))}</dd>"
        for key, value in told.items()
    )
