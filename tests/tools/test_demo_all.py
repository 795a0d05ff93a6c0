"""The parts of tools/demo_all.py."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rave_mm.photos.reading import read_photo

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import demo_all


def write_log(folder: Path, lines: list[dict[str, float]]) -> None:
    folder.mkdir(parents=True)
    (folder / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_learning_curve_counts_training_time_up_to_the_best_validation(tmp_path: Path) -> None:
    """Two runs, the second resumed at 20; 10 iterations of 2 s, 10 of 1 s, 20 of 3 s."""
    write_log(
        tmp_path / "1/vis_data",
        [
            {"step": 10, "time": 2.0},
            {"step": 20, "time": 1.0},
            {"step": 20, "time": 9.0, "PSNR": 17.0, "SSIM": 0.8},
        ],
    )
    write_log(
        tmp_path / "2/vis_data",
        [{"step": 40, "time": 3.0}, {"step": 40, "time": 9.0, "PSNR": 16.0, "SSIM": 0.8}],
    )
    assert demo_all.learning_curve(tmp_path) == {
        "iterations": 40,
        "training_seconds": 90.0,
        "psnr_best": 17.0,
        "iterations_to_near_best": 20,
        "seconds_to_near_best": 30.0,
        "curve": [
            {"iteration": 20, "seconds": 30.0, "psnr": 17.0},
            {"iteration": 40, "seconds": 90.0, "psnr": 16.0},
        ],
    }


def test_near_the_best_is_within_three_tenths_of_a_decibel(tmp_path: Path) -> None:
    lines = [{"step": 10, "time": 1.0}, {"step": 20, "time": 1.0}, {"step": 30, "time": 1.0}]
    lines += [{"step": 10, "PSNR": 16.6}, {"step": 20, "PSNR": 16.8}, {"step": 30, "PSNR": 17.0}]
    write_log(tmp_path / "1/vis_data", lines)
    curve = demo_all.learning_curve(tmp_path)
    assert (curve["iterations_to_near_best"], curve["seconds_to_near_best"]) == (20, 20.0)
    assert curve["psnr_best"] == 17.0


def test_a_validation_between_two_log_lines_has_a_part_of_their_time(tmp_path: Path) -> None:
    lines = [{"step": 20, "time": 1.0}, {"step": 30, "PSNR": 15.0}, {"step": 40, "time": 2.0}]
    write_log(tmp_path / "1/vis_data", lines)
    assert demo_all.learning_curve(tmp_path)["seconds_to_near_best"] == 40.0


def test_iterations_after_the_last_line_of_the_training_count(tmp_path: Path) -> None:
    write_log(tmp_path / "1/vis_data", [{"step": 20, "time": 1.5}, {"step": 30, "PSNR": 15.0}])
    curve = demo_all.learning_curve(tmp_path)
    assert (curve["iterations"], curve["training_seconds"]) == (30, 45.0)


def summary_of(*points: tuple[float, float]) -> dict[str, Any]:
    curve = [{"seconds": seconds, "psnr": psnr} for seconds, psnr in points]
    best = max(curve, key=lambda point: point["psnr"])
    return {
        "curve": curve,
        "psnr_input": 14.0,
        "psnr_best": best["psnr"],
        "seconds_to_near_best": best["seconds"],
    }


def test_times_are_compared_at_each_best_and_at_the_same_figure(tmp_path: Path) -> None:
    clip_lit = summary_of((50, 15.0), (200, 16.0))
    summaries = {"rave": summary_of((40, 16.0), (100, 17.0)), "clip_lit": clip_lit}
    assert demo_all.comparison(summaries).splitlines() == [
        "To within 0.3 dB of its own best CLIP-LIT trains 200 s, RAVE 100 s: 2.0 times as long "
        "(the paper says 25).",
        "CLIP-LIT's best is 16.00 dB. RAVE gets there in 40 s: CLIP-LIT trains 5.0 times as long.",
    ]
    worse = {"rave": summary_of((40, 15.5)), "clip_lit": clip_lit}
    assert demo_all.comparison(worse).endswith("16.00 dB. RAVE does not get there.")
    demo_all.draw_curves(summaries, tmp_path / "curves.png")
    assert read_photo(tmp_path / "curves.png").shape == (500, 800, 3)


@pytest.mark.parametrize(
    ("method", "pair"), [("rave", 0), ("clip_lit", 2 * 32 * 64), ("clip_lit_latent", 2 * 256)]
)
def test_trainable_parameters_are_the_networks_and_the_pairs(method: str, pair: int) -> None:
    network = demo_all.trainable_parameters("demo/rave_demo.py")
    assert network > 100_000
    assert demo_all.trainable_parameters(demo_all.METHODS[method].config) == network + pair


def test_side_by_side_has_a_column_for_each_method(tmp_path: Path) -> None:
    for index, name in enumerate(demo_all.METHODS):
        folder = tmp_path / name / "test/1/vis_data/vis_image"
        folder.mkdir(parents=True)
        row = np.zeros((8, 36, 3), np.uint8)
        row[:, :12], row[:, 12:24], row[:, 24:] = 20, 100 + 30 * index, 250
        Image.fromarray(row).save(folder / "a.png")
    demo_all.side_by_side(tmp_path, tmp_path / "sheet.png")
    sheet = read_photo(tmp_path / "sheet.png")
    assert [int(sheet[100, 384 * i + 190, 0]) for i in range(5)] == [20, 100, 130, 160, 250]
