"""How the bundled CLIP is trained: two stages of lessons, and an attack on itself in the second."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info, get_rank, get_world_size
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.utils.data import DataLoader
from tqdm import tqdm

from rave_mm.clip.lighting_losses import (
    RunningResidual,
    climb,
    contrastive_loss,
    favours_of,
    quality,
    ranking_loss,
)
from rave_mm.clip.lighting_model import (
    EMBEDDING_SIZE,
    IMAGE_SIZE,
    LOGIT_SCALE,
    Tokens,
    architecture,
    embed_pictures,
)
from rave_mm.clip.lighting_report import CLASSES
from rave_mm.datasets.harms import HARMS
from rave_mm.datasets.lighting_captions import BLANKS, CAPTIONS, NEGATIVE, NOISE, worded
from rave_mm.datasets.lighting_scenes import LESSONS, LightingScenes
from rave_mm.functional import residual_guidance_loss

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
        full = full_captions(drawn, contents[told], data.contents)
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


def full_captions(captions: Tensor, contents: Tensor, names: Sequence[str]) -> list[str]:
    """Captions that tell light and content: 'a dark photo of a tower with ...'.

    Args:
        captions: (N,), which of :data:`CAPTIONS`.
        contents: (N,), which of the names, -1 for none.
        names: What photos show, such as 'a tower'.
    """
    return [
        CAPTIONS[caption].replace("photo", f"photo of {names[content]}", 1)
        if content >= 0
        else CAPTIONS[caption]
        for caption, content in zip(captions.tolist(), contents.tolist(), strict=True)
    ]


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
