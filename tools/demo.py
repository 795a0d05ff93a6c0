"""From packages to a trained model and pictures.

Make the demo set, train RAVE on it, test it, sum it up. Each step is one of the other tools, and
the command is printed. The figures are those of the last checkpoint, not of the best one, on
photographs of scenes that were not trained on. A run that is repeated goes on where the last one
was stopped.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

TOOLS = Path(__file__).resolve().parent
CONFIG = "demo/rave_demo.py"


def run(tool: str, *arguments: str | Path) -> None:
    """Print and run one of the tools; stop with its exit status if it fails."""
    command = [sys.executable, str(TOOLS / f"{tool}.py"), *map(str, arguments)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    status = subprocess.run(command, check=False).returncode
    if status:
        sys.exit(status)


def contact_sheet(pictures: list[Path], out: Path, most: int = 6) -> None:
    """Stack pictures of input, result and ground truth side by side into one, with a heading."""
    rows = [Image.open(path).convert("RGB") for path in pictures[:most]]
    width = 960
    rows = [
        row.resize((width, round(row.height * width / row.width)), Image.Resampling.LANCZOS)
        for row in rows
    ]
    sheet = Image.new("RGB", (width, 24 + sum(row.height + 4 for row in rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, heading in enumerate(("input", "RAVE", "ground truth")):
        draw.text((width // 3 * index + 8, 6), heading, fill="black")
    top = 24
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + 4
    sheet.save(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/demo"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, help="length of training (default: the config's)")
    arguments = parser.parse_args()
    started = time.time()
    work_dir: Path = arguments.work_dir

    run("prepare_data", "demo")
    options = [f"randomness.seed={arguments.seed}"]
    if arguments.iterations:
        options += [f"train_cfg.phases.0.iterations={arguments.iterations}"]
    run("train", CONFIG, "--work-dir", work_dir, "--resume", "--cfg-options", *options)
    checkpoint = work_dir / (work_dir / "last_checkpoint").read_text().rsplit("/", 1)[-1].strip()
    figures_file = work_dir / "test.json"
    run("test", CONFIG, checkpoint, "--work-dir", work_dir / "test", "--out", figures_file)

    figures = json.loads(figures_file.read_text())
    summary = {
        "psnr": figures["PSNR"],
        "psnr_input": figures["input/PSNR"],
        "ssim": figures["SSIM"],
        "ssim_input": figures["input/SSIM"],
        "seconds": round(time.time() - started, 1),
        "checkpoint": str(checkpoint),
        "seed": arguments.seed,
    }
    summary_file = work_dir / "summary.json"
    summary_file.write_text(json.dumps(summary, indent=2) + "\n")
    pictures = sorted(
        (work_dir / "test").glob("*/vis_data/vis_image/*.png"), key=lambda p: (p.parent, p.name)
    )
    newest = [path for path in pictures if path.parent == pictures[-1].parent]
    before_after = work_dir / "before_after.png"
    contact_sheet(newest, before_after)
    print(f"\n{'':8}{'PSNR':>10}{'SSIM':>10}")
    print(f"{'input':8}{summary['psnr_input']:>10.2f}{summary['ssim_input']:>10.4f}")
    print(f"{'RAVE':8}{summary['psnr']:>10.2f}{summary['ssim']:>10.4f}")
    gain = np.round(summary["psnr"] - summary["psnr_input"], 2)
    print(f"\n{gain:+} dB on scenes that were not trained on, in {summary['seconds']:.0f} s")
    print(f"figures   {summary_file}\npicture   {before_after}\ncheckpoint {checkpoint}")


if __name__ == "__main__":
    main()
