"""tools/benchmark.py: a table and a file of every size and way, measured or not."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from rave_mm.benchmark import enhancing_command, growth, training_command
from rave_mm.benchmark.growth import Point
from rave_mm.networks.light_map_unet import LightMapUNet
from tests.tools.loading import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("benchmark")


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *map(str, arguments)])
    tool.main()


@pytest.mark.slow
def test_ten_thousand_pixels(
    tool: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.save(LightMapUNet(start="identity").state_dict(), tmp_path / "weights.pth")
    arguments = ("--checkpoint", tmp_path / "weights.pth", "--megapixels", 0.01)
    options = ("--device", "cpu", "--work-dir", tmp_path / "out", "--max-memory", "100MB")
    run(tool, monkeypatch, *arguments, *options)
    told = capsys.readouterr()
    for way in ("published", "exact", "small"):
        assert f"0.01        {way}" in told.out
    assert "3/3" in told.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["enhancing.json"]
    found = json.loads((tmp_path / "out/enhancing.json").read_text())
    published, exact, small = found["rows"]
    assert published["size"] == [100, 100] and "ratio" not in published
    for row in (exact, small):
        assert row["ratio"] == pytest.approx(published["seconds"] / row["seconds"])
        assert row["largest"] <= 1 and row["compared_with"] == "published"
        assert 10**8 < row["peak_memory"] < 10**10


def test_ways_without_a_figure_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = [
        {"megapixels": 100.0, "way": "published", "note": "would take about 190.0 GB"},
        {"megapixels": 100.0, "way": "exact", "note": "", "seconds": 8.0, "peak_memory": 10**9},
        {"megapixels": 100.0, "way": "small", "note": "", "seconds": 2.0, "peak_memory": 10**9},
    ]
    monkeypatch.setattr(
        enhancing_command, "difference", lambda one, other: {"largest": 9, "psnr": 40.0}
    )
    enhancing_command.compare(rows, tmp_path)
    lines = enhancing_command.table(rows).splitlines()
    assert lines[1].endswith("would take about 190.0 GB")
    assert lines[2].split() == ["100", "exact", "8.00", "1000"]
    assert lines[3].split()[:7] == ["100", "small", "2.00", "4.00", "1000", "9", "40.0"]
    assert lines[3].endswith("compared with exact")


def test_what_is_wrong_is_told_before_anything_is_measured(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(LightMapUNet().state_dict(), tmp_path / "weights.pth")
    for arguments, message in (
        (("--checkpoint", tmp_path / "no.pth"), "no checkpoint"),
        (("--checkpoint", tmp_path / "weights.pth", "--device", "tpu"), "expected auto, cpu"),
        (("--checkpoint", tmp_path / "weights.pth", "--max-memory", "1MB"), "of memory for the"),
        (("--checkpoint", tmp_path / "weights.pth", "--photo", tmp_path / "no.jpg"), "no such"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(tool, monkeypatch, *arguments, "--work-dir", tmp_path / "out")


def test_training_steps_are_told_as_a_table() -> None:
    row = {"way": "published, float32", "seconds": 2.0, "ratio": 1.0, "peak_memory": 10**9}
    row |= {"floor": 0.25, "loss": 37.9297}
    fast = {**row, "way": "small view, float32", "seconds": 0.5, "ratio": 4.0, "floor": None}
    lines = training_command.table([{"size": 512, "rows": [row, fast]}]).splitlines()
    assert lines[1].split() == [
        "512",
        "published,",
        "float32",
        "2.0000",
        "1.00",
        "1000",
        "0.2500",
        "37.9297",
    ]
    assert lines[2].split() == [
        "512",
        "small",
        "view,",
        "float32",
        "0.5000",
        "4.00",
        "1000",
        "37.9297",
    ]


def test_bad_settings_of_training_are_told(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, message in (
        (("--batch", 0), "--batch: got 0, expected 1 or more"),
        (("--device", "tpu"), "expected auto, cpu or cuda"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(tool, monkeypatch, "training", *arguments, "--work-dir", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_growth_leaves_a_table_a_file_and_a_plot(
    tool: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def linear(amounts: list[float]) -> list[Point]:
        return [Point(amount, 2.0 * amount, 10**8) for amount in amounts]

    monkeypatch.setattr(
        growth,
        "step_points",
        lambda sizes, batches, device: {
            "small view": [Point(b * s * s, 3.0) for s in sizes for b in batches]
        },
    )
    monkeypatch.setattr(growth, "process_points", lambda counts, size, batch: linear(counts))
    for name in ("enhancing_points", "photo_points", "token_points"):
        monkeypatch.setattr(growth, name, linear)
    run(tool, monkeypatch, "growth", "--work-dir", tmp_path, "--device", "cpu")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["step", "by", "size,", "small", "view", "2.09715e+06", "3.000", "0.00"] in lines
    assert ["enhancing", "by", "megapixels", "400", "800.000", "100", "1.00"] in lines
    found = json.loads((tmp_path / "growth.json").read_text())
    assert found["series"]["vocabulary by words"][0]["amount"] == 1000
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_growth_needs_amounts_that_grow(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for amounts in ((5,), (5, 3), (0, 3)):
        with pytest.raises(SystemExit, match="--photos: got .* expected two or more amounts"):
            run(tool, monkeypatch, "growth", "--photos", *amounts, "--work-dir", tmp_path / "out")
