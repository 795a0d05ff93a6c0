"""From packages to a trained model and pictures: make a set, train RAVE, test it, sum it up.

Each step is one of the other tools, and its command is printed. The figures are those of the last
checkpoint, not of the best one, on photographs of scenes that were not trained on. A run that was
interrupted goes on where it stopped. `tools/demo_all.py` does the same for all three methods.
"""

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_mm import config_path
from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.runtime.command import as_typed, stop

if TYPE_CHECKING:
    from PIL import Image


TOOLS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Method:
    """A method and its demo."""

    title: str
    config: str


RAVE = Method("RAVE", "demo/rave_demo.py")
TINY = (
    "train_cfg.val_begin=1",
    "train_cfg.val_interval=2",
    "default_hooks.checkpoint.interval=2",
    "default_hooks.logger.interval=1",
    "train_dataloader.batch_size=2",
    "train_dataloader.dataset.pipeline.1.crop_size=48",
)


def run(tool: str, *arguments: str | Path) -> None:
    """Print and run one of the tools; stop with its exit status if it fails."""
    command = [sys.executable, str(TOOLS / f"{tool}.py"), *map(str, arguments)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    status = subprocess.run(command, check=False).returncode
    if status:
        sys.exit(status)


def claim(work_dir: Path, method: Method, seed: int, tiny: bool) -> None:
    """Note in the work directory what is trained there, or compare with what was.

    Training goes on from the checkpoints that it finds: those of other settings, another CLIP or
    other photographs must not pass for this run's.
    """
    configs = config_path(method.config).parents[1]
    sources = [*sorted(configs.rglob("*.py")), *sorted(BUNDLED_FOLDER.iterdir())]
    sources.append(Path("data/demo/manifest.json"))
    digest = hashlib.sha256(f"{method.config} {seed} {tiny}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    note = work_dir / "settings.sha256"
    if work_dir.is_dir() and any(work_dir.iterdir()):
        if not note.is_file() or note.read_text() != digest.hexdigest():
            stop(
                f"{work_dir} holds a run of other settings (seed, config, CLIP or photographs). "
                "Remove it, or name another --work-dir."
            )
    else:
        work_dir.mkdir(parents=True, exist_ok=True)
        note.write_text(digest.hexdigest())


def tiny_schedule(config: str, iterations: int) -> list[str]:
    """Options that give each phase of a config so many iterations, and rounds one turn."""
    from mmengine.config import Config  # takes seconds

    options = []
    for i, part in enumerate(Config.fromfile(config_path(config)).train_cfg.phases):
        key = f"train_cfg.phases.{i}"
        if "rounds" in part:
            options.append(f"{key}.rounds=1")
        keys = [f"{key}.phases.{j}" for j in range(len(part.get("phases", ())))] or [key]
        options += [f"{key}.iterations={iterations}" for key in keys]
    return options


def train(work_dir: Path, method: Method, seed: int, tiny: bool) -> Path:
    """Train, or go on with training, and return the last checkpoint.

    The tiny setting stops after two iterations of each phase, and resumes for two more of the last.
    """
    for iterations in (2, 4) if tiny else (None,):
        options = [f"randomness.seed={seed}"]
        if iterations:
            options += [*TINY, *tiny_schedule(method.config, iterations)]
        run("train", method.config, "--work-dir", work_dir, "--resume", "--cfg-options", *options)
    return work_dir / Path((work_dir / "last_checkpoint").read_text().strip()).name


def demonstrate(work_dir: Path, method: Method, seed: int, tiny: bool) -> dict[str, Any]:
    """Train and test a method, and write its `summary.json`."""
    from rave_mm.runtime.whole_files import write_whole

    started = time.time()
    run("prepare_data", "demo")
    claim(work_dir, method, seed, tiny)
    checkpoint = train(work_dir, method, seed, tiny)
    figures_file = work_dir / "test.json"
    run("test", method.config, checkpoint, "--work-dir", work_dir / "test", "--out", figures_file)

    figures = json.loads(figures_file.read_text())
    summary_file = work_dir / "summary.json"
    seconds = round(time.time() - started, 1)
    if summary_file.is_file():  # was finished before; that took longer than looking at it again
        seconds = json.loads(summary_file.read_text())["seconds"]
    summary = {
        "psnr": figures["PSNR"],
        "psnr_input": figures["input/PSNR"],
        "ssim": figures["SSIM"],
        "ssim_input": figures["input/SSIM"],
        "seconds": seconds,
        "checkpoint": str(checkpoint),
        "seed": seed,
    }
    write_whole(summary_file, json.dumps(summary, indent=2) + "\n")
    return summary


def result_pictures(work_dir: Path) -> "list[Image.Image]":
    """The pictures of a run's last test: input, result and ground truth side by side."""
    from PIL import Image

    from rave_mm.photos.reading import read_photo

    runs = sorted((work_dir / "test").glob("*/vis_data/vis_image"))
    return [Image.fromarray(read_photo(path)) for path in sorted(runs[-1].glob("*.png"))]


def table(summary: dict[str, Any]) -> str:
    """PSNR and SSIM of the input and of the result."""
    lines = [
        f"{'':8}{'PSNR':>8}{'SSIM':>8}",
        f"{'input':8}{summary['psnr_input']:8.2f}{summary['ssim_input']:8.3f}",
        f"{'RAVE':8}{summary['psnr']:8.2f}{summary['ssim']:8.3f}",
    ]
    return "\n".join(lines)


def parse_arguments(description: str, name: str) -> argparse.Namespace:
    """The arguments of a demo: `work_dir` (work_dirs/NAME where none is given), `seed`, `tiny`."""
    parser = argparse.ArgumentParser(
        description=as_typed(description), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work-dir", type=Path, help=f"where all goes (default: work_dirs/{name}[-tiny][-seedN])"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights and data (default: 0)")
    parser.add_argument(
        "--tiny", action="store_true", help="a few iterations: shows that it runs, not what it does"
    )
    arguments = parser.parse_args()
    if arguments.work_dir is None:
        name += "-tiny" if arguments.tiny else ""
        name += f"-seed{arguments.seed}" if arguments.seed else ""
        arguments.work_dir = Path("work_dirs") / name
    return arguments


def main() -> None:
    arguments = parse_arguments(__doc__, "demo")
    from rave_mm.evaluation.contact_sheet import contact_sheet

    work_dir: Path = arguments.work_dir
    summary = demonstrate(work_dir, RAVE, arguments.seed, arguments.tiny)
    before_after = work_dir / "before_after.png"
    contact_sheet(("input", RAVE.title, "ground truth"), result_pictures(work_dir), before_after)
    gain = summary["psnr"] - summary["psnr_input"]
    print(f"\n{table(summary)}\n")
    print(f"{gain:+.2f} dB on scenes that were not trained on, {summary['seconds']:.0f} s in all")
    print(f"figures     {work_dir / 'summary.json'}\npicture     {before_after}")
    print(f"checkpoint  {summary['checkpoint']}")
    print(f"training    tensorboard --logdir {work_dir}")


if __name__ == "__main__":
    main()
