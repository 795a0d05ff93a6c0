"""Train the bundled lighting CLIP.

It is a small image-text model that knows under which light a photo was taken, and what spoils it.
It reads the photographs that `tools/prepare_data.py lighting-clip` collects, draws lessons from
them (rave_mm/datasets/lighting_lessons.py), trains an open_clip model on them from random weights,
tests it on photographs of other scenes, and writes a folder that open_clip reads as
`local-dir:FOLDER`. The same seed on the same machine gives the same weights.

Two processes share the work, each on one core, which is faster than one process with two threads.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from rave_mm.runtime.command import as_typed


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photos",
        type=Path,
        default=Path("data/lighting_clip"),
        help="folder with train/ and test/",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("work_dirs/lighting_clip"), help="where the model goes"
    )
    parser.add_argument("--steps", type=int, help="of each stage, to try it out (default: all)")
    parser.add_argument(
        "--scenes",
        type=int,
        default=8,
        help="in a batch of each process, of four lessons each (default: 8)",
    )
    parser.add_argument("--processes", type=int, default=2, help="default: 2")
    parser.add_argument(
        "--width",
        type=int,
        default=32,
        help="channels of the image tower's first stage (default: 32, a file of 20 MB)",
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

import numpy as np
import open_clip
import torch
from mmengine.dist import all_reduce, get_dist_info, get_rank, get_world_size
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.functional import normalize
from torch.utils.data import DataLoader
from tqdm import tqdm

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.lighting_losses import (
    RunningResidual,
    climb,
    contrastive_loss,
    favours_of,
    quality,
    ranking_loss,
)
from rave_mm.clip.lighting_report import CLASSES, lighting_report
from rave_mm.datasets.harms import HARMS
from rave_mm.datasets.lighting_captions import BLANKS, CAPTIONS, NEGATIVE, NOISE, worded
from rave_mm.datasets.lighting_scenes import LESSONS, LightingScenes
from rave_mm.functional import residual_guidance_loss
from rave_mm.runtime.whole_files import replacing, write_whole

IMAGE_SIZE = 96
CONTEXT_LENGTH = 32
EMBEDDING_SIZE = 256
PREPROCESSING = {
    "mean": list(open_clip.OPENAI_DATASET_MEAN),
    "std": list(open_clip.OPENAI_DATASET_STD),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
LOGIT_SCALE = 10.0
MARGIN = 0.5
ATTENTION_RATE = 0.25
"""Learning rate of the attention that pools: at the convolutions' own it does not find details."""
WELL_LIT = CAPTIONS.index("a well-lit photo")
BACKLIT = [CAPTIONS.index(caption) for caption in CLASSES["backlit"]]
GROUPS = [
    [WELL_LIT],
    BACKLIT,
    *([CAPTIONS.index(caption) for caption in CLASSES[name]] for name in ("dark", "overexposed")),
    *([CAPTIONS.index(harm.caption)] for harm in HARMS.values()),
    *([CAPTIONS.index(caption)] for caption in (*BLANKS, NOISE, NEGATIVE)),
]
"""What a picture can be said to be: a class of light or a harm, as captions. Others are apart."""


@dataclass(frozen=True)
class Stage:
    """A stretch of training, with a learning rate that rises and falls."""

    steps: int
    learning_rate: float
    balance: float
    """How far frequent captions are held back, 0 (not) to 1 (wholly), see :func:`favours_of`."""
    groups: Sequence[Sequence[int]] = ()
    """Captions that are balanced as one; the others are by themselves."""
    climbing: float = 0.0
    """In how many of the steps pictures that climb the score are ranked too, see :func:`climb`."""


#: First light and harms; then the score's own blind spots, and no class is to be favoured.
STAGES = (
    Stage(2600, 7e-4, balance=0.6),
    Stage(4000, 5e-4, balance=1.0, groups=GROUPS, climbing=0.5),
)


def architecture(width: int) -> dict[str, Any]:
    """open_clip's settings of a model whose image tower has so many channels in its first stage."""
    return {
        "embed_dim": EMBEDDING_SIZE,
        "vision_cfg": {
            "image_size": IMAGE_SIZE,
            "layers": [1, 2, 2, 2],
            "width": width,
            "patch_size": None,
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 2,
        },
    }


def with_content(caption: str, content: str) -> str:
    """'a dark photo with ...' and 'a tower' give 'a dark photo of a tower with ...'."""
    return caption.replace("photo", f"photo of {content}", 1)


def embed_pictures(model: CLIP, pictures: Tensor) -> Tensor:
    """Unit embeddings (N, D) of pictures (N, 3, S, S) in [0, 1].

    The convolutions are in bfloat16, which recent processors multiply several times as fast; the
    attention, which they do not, is in float32.
    """
    mean, std = (torch.tensor(PREPROCESSING[k]).view(3, 1, 1) for k in ("mean", "std"))
    visual = model.visual
    features = ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        for part in (visual.stem, visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            features = part(features)
    return normalize(visual.attnpool(features.float()), dim=-1)


def train(
    folder: Path, scenes: int, seed: int, stages: Sequence[Stage] = STAGES, width: int = 32
) -> CLIP:
    """Train on the photographs of a folder, with other processes if there are, in eval mode."""
    torch.manual_seed(seed)
    model = CLIP(**architecture(width)).to(memory_format=torch.channels_last)
    # A small fixed scale asks for large angles between lights, and so for a guide that keeps its
    # slope; a learned one grows, and sorts with small angles.
    model.logit_scale.requires_grad_(False).fill_(np.log(LOGIT_SCALE))
    rank, processes = get_dist_info()
    first = 0
    for stage in stages:
        end = first + stage.steps * scenes * processes
        train_stage(
            model,
            stage,
            LightingScenes(folder, range(first + rank, end, processes), IMAGE_SIZE, seed),
            scenes,
        )
        first = end
    return model.eval()


def _average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Over the processes, if there are several."""
    if get_world_size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    together = torch.cat([gradient.reshape(-1) for gradient in gradients])
    all_reduce(together, "mean")
    parts = together.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))


def _optimizer(model: CLIP, rate: float) -> torch.optim.Optimizer:
    """AdamW in groups: matrices decay, the attention that pools is slower."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = ("attnpool" in name, parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": rate * (ATTENTION_RATE if attention else 1),
                "weight_decay": 0.05 * decays,
            }
            for (attention, decays), parameters in groups.items()
        ],
        fused=True,
    )


def train_stage(model: CLIP, stage: Stage, data: LightingScenes, scenes: int) -> None:
    """Train a model in place."""
    tokens_of = Tokens()
    rng = np.random.default_rng([data.seed, data.numbers.start])
    optimizer = _optimizer(model, stage.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=stage.steps,
        pct_start=0.1,
    )
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    model.train()
    name = "climbing" if stage.climbing else "lessons"
    progress = tqdm(DataLoader(data, scenes), desc=name, unit="step", disable=get_rank() > 0)
    averages: dict[str, float] = {}
    residual = RunningResidual(EMBEDDING_SIZE, BACKLIT, WELL_LIT)
    seen = torch.ones(len(CAPTIONS))
    for step, (grouped, grouped_labels, grouped_contents) in enumerate(progress):
        pictures = grouped.flatten(0, 1).float() / 255
        labels, contents = grouped_labels.flatten(0, 1), grouped_contents.flatten()
        right = pictures[::LESSONS].repeat_interleave(LESSONS, 0)
        places = torch.arange(len(grouped)).repeat_interleave(LESSONS)
        # Half of the pictures, with the right ones, have a caption that tells what they show too.
        told = torch.arange(0, len(pictures), 2)
        drawn = torch.multinomial(labels[told], 1)[:, 0]
        full = [
            with_content(CAPTIONS[caption], data.contents[content])
            if content >= 0
            else CAPTIONS[caption]
            for caption, content in zip(drawn.tolist(), contents[told].tolist(), strict=True)
        ]
        tokens = tokens_of([*(worded(caption, rng) for caption in CAPTIONS), *full])
        encoded = normalize(model.encode_text(tokens), dim=-1)
        captions, texts = encoded[: len(CAPTIONS)], encoded[len(CAPTIONS) :]
        if step and rng.random() < stage.climbing:
            climbed, climbers = climbing_pictures(
                model, pictures, captions[WELL_LIT].detach(), residual.vector, rng
            )
            pictures = torch.cat([pictures, climbed])
            right = torch.cat([right, right[climbers]])
            places = torch.cat([places, places[climbers]])
        images = embed_pictures(model, pictures)
        lessons = images[: len(labels)]
        order = torch.cat([told, told + 1])
        seen += labels.sum(0)
        favours = favours_of(seen, stage.balance, stage.groups)
        vector = residual.update(lessons, labels)
        qualities = quality(pictures, right)
        losses = {
            "captions": contrastive_loss(
                lessons[order],
                captions,
                texts,
                labels[order],
                contents[told],
                drawn,
                favours,
                LOGIT_SCALE,
            ),
            "words": 5 * ranking_loss(images @ captions[WELL_LIT], qualities, places, MARGIN),
            "residual": 10 * ranking_loss(images @ vector, qualities, places, MARGIN),
            # What RAVE asks of a picture, right ones have: else it is pushed beyond them.
            "right": 10 * residual_guidance_loss(lessons[::LESSONS], vector, residual.target),
        }
        loss = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"loss is {loss.item()} at step {step}; lower the stage's learning rate"
            )
        optimizer.zero_grad()
        loss.backward()
        _average_gradients(trained)
        optimizer.step()
        schedule.step()
        for part, value in losses.items():
            averages[part] = 0.98 * averages.get(part, value.item()) + 0.02 * value.item()
        progress.set_postfix({part: f"{value:.3f}" for part, value in averages.items()})


class Tokens:
    """CLIP's tokens of texts, each made once."""

    def __init__(self) -> None:
        self.tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH)
        self.known: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        if new := sorted(set(texts) - set(self.known)):
            self.known |= dict(zip(new, self.tokenizer(new), strict=True))
        return torch.stack([self.known[text] for text in texts])


def climbing_pictures(
    model: CLIP, pictures: Tensor, well_lit: Tensor, vector: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Pictures that climb one of the two scores, one of each scene, and which they come from.

    The model is asked as it guides: in eval mode.
    """
    climbers = torch.arange(0, len(pictures), LESSONS)
    climbers = climbers + torch.from_numpy(rng.integers(0, LESSONS, len(climbers)))
    target = vector if rng.random() < 0.7 else well_lit
    model.eval()
    way = climb(
        pictures[climbers],
        lambda changed: embed_pictures(model, changed) @ target,
        cells=int(rng.choice([1, 2, 4, 8, 16, 32])),
        channels=int(rng.choice([1, 3], p=[0.8, 0.2])),
        step=float(rng.uniform(0.1, 0.6)),
    )
    climbed = next(islice(way, int(rng.integers(1, 4)), None))
    model.train()
    return climbed, climbers


def save(model: nn.Module, folder: Path, width: int) -> None:
    """Write open_clip's local-dir layout; weights in half precision, which halves the download."""
    config = {"model_cfg": architecture(width), "preprocess_cfg": PREPROCESSING}
    write_whole(folder / "open_clip_config.json", json.dumps(config, indent=2) + "\n")
    state = {
        k: v.half().contiguous() if v.is_floating_point() else v
        for k, v in model.state_dict().items()
    }
    with replacing(folder / "open_clip_model.safetensors") as unfinished:
        save_file(state, unfinished)


def _train_in_process(rank: int, meeting_point: str, given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", f"file://{meeting_point}", rank=rank, world_size=given.processes
    )
    stages = [replace(stage, steps=given.steps or stage.steps) for stage in STAGES]
    model = train(given.photos / "train", given.scenes, given.seed, stages, given.width)
    if rank == 0:
        save(model, given.out, given.width)
    distributed.destroy_process_group()


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    started = time.time()
    with tempfile.TemporaryDirectory() as folder:
        spawn(_train_in_process, (f"{folder}/meeting_point", arguments), arguments.processes)
    figures = lighting_report(FrozenCLIP(f"local-dir:{arguments.out}"), arguments.photos / "test")
    figures["minutes"] = round((time.time() - started) / 60, 1)
    write_whole(arguments.out / "report.json", json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(given)
