"""Train RAVE, CLIP-LIT and CLIP-LIT-Latent on the demo set, and compare them in one table.

Each is trained and tested as `tools/demo.py` does it for RAVE. How long a method takes is told by
its validations: the training time until the first whose PSNR is within 0.3 dB of the greatest,
without the time that validation takes. A run that was interrupted goes on where it stopped.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from demo import RAVE, Method, demonstrate, parse_arguments, result_pictures

if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments(__doc__, "demo-all")

import numpy as np
from matplotlib.figure import Figure
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

import rave_mm.register  # noqa: F401 - registers what is built
from rave_mm import config_path
from rave_mm.engine.schedule import read_schedule
from rave_mm.evaluation.contact_sheet import contact_sheet
from rave_mm.runtime.whole_files import replacing, write_whole

METHODS = {
    "rave": RAVE,
    "clip_lit": Method("CLIP-LIT", "demo/clip_lit_demo.py"),
    "clip_lit_latent": Method("CLIP-LIT-Latent", "demo/clip_lit_latent_demo.py"),
}


NEAR = 0.3
"""Decibels below its best validation at which a method counts as having got there."""


def trainable_parameters(config_name: str) -> int:
    """How many parameters the phases of a config train."""
    config = Config.fromfile(config_path(config_name))
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    trained = {phase.trains for phase in read_schedule(config.train_cfg.phases).phases}
    return sum(p.numel() for name in trained for p in getattr(model, name).parameters())


def learning_curve(work_dir: Path) -> dict[str, Any]:
    """What the logs of a run tell: how long it trained, and what its validations found.

    Returns:
        `iterations`, `training_seconds`, `psnr_best`, `iterations_to_near_best`,
        `seconds_to_near_best`, and `curve`: the iteration, training seconds and PSNR of each
        validation.
    """
    times: dict[int, float] = {}
    figures: dict[int, float] = {}
    for log in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for line in map(json.loads, log.read_text().splitlines()):
            if "PSNR" in line:
                figures[line["step"]] = line["PSNR"]
            elif "time" in line:
                times[line["step"]] = line["time"]
    # What follows the last line of the training is taken to be as fast as what it tells.
    times.setdefault(max([*times, *figures]), times[max(times)])
    steps = sorted(times)
    # Each time is the mean of the iterations since the line before.
    seconds = np.cumsum([times[step] * (step - last) for last, step in pairwise([0, *steps])])
    curve = [
        {
            "iteration": step,
            "seconds": round(float(np.interp(step, [0, *steps], [0, *seconds])), 1),
            "psnr": figures[step],
        }
        for step in sorted(figures)
    ]
    best = max(point["psnr"] for point in curve)
    near = next(point for point in curve if point["psnr"] >= best - NEAR)
    return {
        "iterations": steps[-1],
        "training_seconds": round(float(seconds[-1]), 1),
        "psnr_best": best,
        "iterations_to_near_best": near["iteration"],
        "seconds_to_near_best": near["seconds"],
        "curve": curve,
    }


def comparison(summaries: dict[str, dict[str, Any]]) -> str:
    """How long CLIP-LIT trains, beside RAVE: each to its own best, and RAVE to CLIP-LIT's best."""
    rave, clip_lit = summaries["rave"], summaries["clip_lit"]
    ours, theirs = rave["seconds_to_near_best"], clip_lit["seconds_to_near_best"]
    lines = [
        f"To within {NEAR} dB of its own best CLIP-LIT trains {theirs:.0f} s, RAVE {ours:.0f} s: "
        f"{theirs / ours:.1f} times as long (the paper says 25).",
    ]
    reached = [p["seconds"] for p in rave["curve"] if p["psnr"] >= clip_lit["psnr_best"]]
    to_theirs = (
        f"RAVE gets there in {reached[0]:.0f} s: CLIP-LIT trains {theirs / reached[0]:.1f} times "
        "as long."
        if reached
        else "RAVE does not get there."
    )
    lines.append(f"CLIP-LIT's best is {clip_lit['psnr_best']:.2f} dB. {to_theirs}")
    return "\n".join(lines)


def draw_curves(summaries: dict[str, dict[str, Any]], out: Path) -> None:
    """Draw each method's PSNR in validation over the time that it trained."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="training time, s", ylabel="PSNR of the test photos, dB")
    for name, summary in summaries.items():
        start = {"seconds": 0.0, "psnr": summary["psnr_input"]}  # each begins as the identity
        points = [start, *summary["curve"]]
        x, y = ([point[key] for point in points] for key in ("seconds", "psnr"))
        axes.plot(x, y, marker="o", label=METHODS[name].title)
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(out) as unfinished:
        figure.savefig(unfinished, format="png", dpi=100)


def table(summaries: dict[str, dict[str, Any]]) -> str:
    """A line for the input and for each method."""
    any_summary = next(iter(summaries.values()))
    lines = [
        f"{'':16}{'PSNR':>8}{'SSIM':>8}{'near best':>10}{'training':>10}{'iterations':>12}"
        f"{'parameters':>12}",
        f"{'input':16}{any_summary['psnr_input']:8.2f}{any_summary['ssim_input']:8.3f}",
    ]
    for name, summary in summaries.items():
        lines.append(
            f"{METHODS[name].title:16}{summary['psnr']:8.2f}{summary['ssim']:8.3f}"
            f"{summary['seconds_to_near_best']:8.0f} s{summary['training_seconds']:8.0f} s"
            f"{summary['iterations']:12,}{summary['parameters']:12,}"
        )
    return "\n".join(lines)


def side_by_side(work_dir: Path, out: Path) -> None:
    """One row for each photo: input, the result of each method, ground truth."""
    rows = []
    for pictures in zip(*(result_pictures(work_dir / name) for name in METHODS), strict=True):
        width, height = pictures[0].width // 3, pictures[0].height
        parts = [pictures[0].crop((0, 0, width, height))]
        parts += [picture.crop((width, 0, 2 * width, height)) for picture in pictures]
        parts.append(pictures[0].crop((2 * width, 0, 3 * width, height)))
        row = Image.new("RGB", (width * len(parts), height))
        for index, part in enumerate(parts):
            row.paste(part, (width * index, 0))
        rows.append(row)
    titles = ("input", *(method.title for method in METHODS.values()), "ground truth")
    contact_sheet(titles, rows, out)


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments(__doc__, "demo-all")
    work_dir: Path = arguments.work_dir
    summaries = {}
    for key, method in METHODS.items():
        summary = demonstrate(work_dir / key, method, arguments.seed, arguments.tiny)
        summary |= learning_curve(work_dir / key)
        summary["parameters"] = trainable_parameters(method.config)
        summaries[key] = summary
    write_whole(work_dir / "summary.json", json.dumps(summaries, indent=2) + "\n")
    side_by_side(work_dir, work_dir / "before_after.png")
    draw_curves(summaries, work_dir / "learning_curves.png")
    print(f"\n{table(summaries)}\n")
    print(f"{comparison(summaries)}\n")
    print(f"figures  {work_dir / 'summary.json'}\npictures {work_dir / 'before_after.png'}")
    print(f"curves   {work_dir / 'learning_curves.png'}")


if __name__ == "__main__":
    main(given)
