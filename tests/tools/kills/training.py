"""A training that is killed again and again ends as one that nobody killed."""

import random
from pathlib import Path

import torch

from tests.tools.kills.forked import kill_at_a_random_moment, start
from tests.tools.loading import load_tool

DEMO = load_tool("demo")

METHODS = {
    "RAVE": "demo/rave_demo.py",
    "CLIP-LIT": "demo/clip_lit_demo.py",
    "CLIP-LIT-Latent": "demo/clip_lit_latent_demo.py",
}
ITERATIONS = 3
LONGEST = 4.0  # about the seconds that a training takes

Weights = dict[str, torch.Tensor]


def _arguments(config: str, work_dir: Path) -> list[str | Path]:
    settings = [*DEMO.TINY, *DEMO.tiny_schedule(config, ITERATIONS)]
    settings += ["default_hooks.checkpoint.interval=1", "val_cfg=None", "val_evaluator=None"]
    settings += ["val_dataloader=None", "default_hooks.checkpoint.save_best=None"]
    settings += ["default_hooks.checkpoint.max_keep_ckpts=-1"]
    return [config, "--work-dir", work_dir, "--resume", "--cfg-options", *settings]


def _log(work_dir: Path) -> Path:
    return work_dir.parent / f"{work_dir.name}.log"


def _weights(path: Path) -> Weights:
    return torch.load(path, map_location="cpu", weights_only=False)["state_dict"]


def _last(work_dir: Path) -> Path:
    return max(work_dir.glob("iter_*.pth"), key=lambda path: int(path.stem.partition("_")[2]))


def uninterrupted(method: str, folder: Path) -> Weights:
    """The last weights of a training that nobody kills."""
    work_dir = folder / "uninterrupted"
    work_dir.mkdir(parents=True)
    process = start("train", _arguments(METHODS[method], work_dir), _log(work_dir))
    process.join()
    assert process.exitcode == 0, _log(work_dir)
    return _weights(_last(work_dir))


def trial(
    method: str, folder: Path, wanted: Weights, seed: int, most_kills: int
) -> tuple[int, str]:
    """Train with checkpoints at all iterations, and kill.

    Returns:
        How many kills there were, and what went wrong, "" if nothing.
    """
    rng = random.Random(seed)
    work_dir = folder / f"trial_{seed}"
    work_dir.mkdir(parents=True)
    arguments = _arguments(METHODS[method], work_dir)
    kills = 0
    while kills < most_kills:
        process = start("train", arguments, _log(work_dir))
        if not kill_at_a_random_moment(process, work_dir, "*iter_*.pth*", LONGEST, rng):
            break
        kills += 1
        for path in work_dir.glob("iter_*.pth"):
            try:
                _weights(path)
            except Exception as error:  # whatever reading a cut file raises
                return kills, f"{path} after kill {kills}: {error!r}"
    process = start("train", arguments, _log(work_dir))
    process.join()
    if process.exitcode != 0:
        return kills, f"--resume ended with {process.exitcode} after {kills} kills"
    found = _weights(_last(work_dir))
    different = [name for name in wanted if not torch.equal(wanted[name], found[name])]
    return kills, f"not as without kills: {', '.join(different)}" if different else ""
