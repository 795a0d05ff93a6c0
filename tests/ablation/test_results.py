import csv
import io
import statistics
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from rave_mm.ablation.results import Result, draw_results, runs_csv, settings_table
from rave_mm.photos.reading import read_photo


def result(weight: str, kind: str, seed: int, psnr: float | None) -> Result:
    figures = None if psnr is None else {"PSNR": psnr, "SSIM": 0.5, "input/PSNR": 14.0}
    return Result((weight, kind), seed, f"key{seed}", figures, 60.0)


RESULTS = [
    result("1", "mean", 0, 15.0),
    result("1", "mean", 1, 17.0),
    result("6", "mean", 0, 16.0),
    result("6", "mean", 1, None),
    result("6", "lda", 0, None),
]
AXES = ("weight", "estimator")


def test_table_has_mean_and_spread_of_the_seeds() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in settings_table(AXES, RESULTS).splitlines()
    ]
    assert rows[0] == ["weight", "estimator", "PSNR", "SSIM", "runs"]
    assert rows[2] == ["input", "", "14.000", "", ""]
    spread = statistics.stdev([15.0, 17.0])
    assert rows[3] == ["1", "mean", f"16.000 ± {spread:.3f}", "0.500 ± 0.000", "2"]
    assert rows[4] == ["6", "mean", "16.000", "0.500", "1 of 2"]
    assert rows[5] == ["6", "lda", "failed", "failed", "0 of 1"]


def test_csv_has_each_run() -> None:
    rows = list(csv.DictReader(io.StringIO(runs_csv(AXES, RESULTS))))
    assert len(rows) == len(RESULTS)
    assert rows[1]["PSNR"] == "17.0" and rows[1]["input/PSNR"] == "14.0"
    assert (rows[1]["weight"], rows[1]["seed"], rows[1]["run"]) == ("1", "1", "key1")
    assert rows[3]["PSNR"] == rows[3]["seconds"] == ""


def test_figure_has_a_panel_for_each_metric(tmp_path: Path) -> None:
    draw_results(AXES, RESULTS, tmp_path / "both.png")
    one = [Result(r.labels, r.seed, r.key, r.figures and {"PSNR": 1.0}) for r in RESULTS]
    draw_results(AXES, one, tmp_path / "one.png")
    widths = [read_photo(tmp_path / f"{name}.png").shape[1] for name in ("both", "one")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=2)


@pytest.mark.parametrize(("labels", "marks"), [(("1", "0.5"), "_-"), (("1", "none"), "_")])
def test_only_numbers_are_joined(
    labels: tuple[str, str], marks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(Axes, "plot", lambda _, x, y, marks, **__: drawn.append(marks))
    results = [Result((label,), 0, label, {"PSNR": 1.0}) for label in labels]
    draw_results(AXES[:1], results, tmp_path / "figure.png")
    assert drawn == [marks]


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no run has figures"):
        draw_results(AXES, RESULTS[-1:], tmp_path / "none.png")
