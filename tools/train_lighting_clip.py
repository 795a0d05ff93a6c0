"""Train the bundled lighting CLIP.

It is a small image-text model that knows under which light a photo was taken. It reads the
photographs that `tools/prepare_data.py lighting-clip` collects, draws lessons from them
(rave_mm/datasets/lighting_edits.py), trains an open_clip model on them from random weights, tests
it on photographs of other scenes, and writes a folder that open_clip reads as `local-dir:FOLDER`.
The same seed on the same machine gives the same weights.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.lighting_report import CLASSES, lighting_report
from rave_mm.datasets.lighting_edits import CAPTIONS, HARMS, lesson
from rave_mm.datasets.photo_sets.sources import PHOTOGRAPHS
from rave_mm.photos.folders import list_photos
from rave_mm.photos.reading import read_photo
from rave_mm.runtime.whole_files import replacing, write_whole

IMAGE_SIZE = 96
CONTEXT_LENGTH = 32
ARCHITECTURE: dict[str, Any] = {
    "embed_dim": 256,
    "vision_cfg": {
        "image_size": IMAGE_SIZE,
        "layers": [1, 2, 2, 1],
        "width": 24,
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
PREPROCESSING = {
    "mean": list(open_clip.OPENAI_DATASET_MEAN),
    "std": list(open_clip.OPENAI_DATASET_STD),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
LOGIT_SCALE = 10.0
WELL_LIT = CAPTIONS.index("a well-lit photo")
BACKLIT = [CAPTIONS.index(caption) for caption in CLASSES["backlit"]]
GROUPS = [
    [WELL_LIT],
    BACKLIT,
    *([CAPTIONS.index(caption) for caption in CLASSES[name]] for name in ("dark", "overexposed")),
    *([CAPTIONS.index(harm)] for harm in HARMS),
]
"""What a picture can be said to be: a class of light or a harm, as captions. Others are apart."""


@dataclass(frozen=True)
class Stage:
    """A stretch of training, with a learning rate that rises and falls."""

    steps: int
    learning_rate: float
    pairs: bool
    """Whether lessons come in pairs that show one scene, at times the first of them well-lit."""
    balance: float
    """How far frequent captions are held back, 0 (not) to 1 (wholly), see :func:`favours_of`."""
    groups: Sequence[Sequence[int]] = ()
    """Captions that are balanced as one; the others are by themselves."""


#: First light, on as many scenes as there is time for; then what tells two lights of a scene apart.
#: First rare captions are to be learned beside frequent ones, then no class is to be favoured.
STAGES = (
    Stage(3000, 1.5e-3, pairs=False, balance=0.6),
    Stage(1000, 5e-4, pairs=True, balance=1.0, groups=GROUPS),
)


class Lessons(Dataset[tuple[Tensor, Tensor, int]]):
    """Lessons with numbers; of pairs, the second has an odd one.

    Of two lessons of one scene, what the photo shows cannot explain what is said of the light. Each
    lesson's generators are seeded with its number, so workers do not change the lessons.
    """

    def __init__(self, folder: Path, numbers: range, pairs: bool, seed: int) -> None:
        listed = {p["id"]: p["content"] for p in json.loads(PHOTOGRAPHS.read_text())["photographs"]}
        paths = list_photos(folder)
        self.photos = [read_photo(path) for path in paths]
        self.contents = sorted(set(listed.values()))
        self.content = [self.contents.index(listed[path.stem]) for path in paths]
        self.numbers, self.pairs, self.seed = numbers, pairs, seed

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        number = self.numbers[index]
        place = number // 2 if self.pairs else number
        which = place % len(self.photos)
        scene = np.random.default_rng([self.seed, 0, place])
        other = self.photos[int(scene.integers(len(self.photos)))]
        rng = np.random.default_rng([self.seed, 1, number])
        well_lit = self.pairs and number % 2 == 0 and bool(rng.random() < 0.5)
        drawn = lesson(self.photos[which], other, IMAGE_SIZE, scene, rng, well_lit)
        image = torch.from_numpy(drawn.image).permute(2, 0, 1)
        content = self.content[which] if drawn.has_content else -1
        return image, torch.from_numpy(drawn.label), content


def with_content(caption: str, content: str) -> str:
    """'a dark photo with ...' and 'a tower' give 'a dark photo of a tower with ...'."""
    return caption.replace("photo", f"photo of {content}", 1)


def contrastive_loss(
    images: Tensor,
    captions: Tensor,
    texts: Tensor,
    labels: Tensor,
    contents: Tensor,
    drawn: Tensor,
    favours: Tensor,
    scale: float = LOGIT_SCALE,
) -> Tensor:
    """CLIP's symmetric cross-entropy, with graded targets.

    Args:
        images: (N, D) unit embeddings of the pictures.
        captions: (K, D) unit embeddings of the captions about light alone.
        texts: (N, D) unit embeddings of one full caption for each picture (light and content).
        labels: (N, K) distribution of each picture over the captions.
        contents: (N,) index of the content, -1 for none.
        drawn: (N,) which caption the full caption of each picture was made from.
        favours: (K,) added to the logits of the captions about light, see :func:`favours_of`.
        scale: factor of the cosines.
    """
    about_light = cross_entropy(scale * images @ captions.T + favours, labels)
    # A full caption fits a picture as much as its light fits, if both show the same thing.
    fit = labels[:, drawn] * (contents[:, None] == contents[None])
    logits = scale * images @ texts.T
    to_text = cross_entropy(logits, fit / fit.sum(1, keepdim=True).clamp_min(1e-6))
    to_image = cross_entropy(logits.T, fit.T / fit.T.sum(1, keepdim=True).clamp_min(1e-6))
    return about_light + 0.5 * (to_text + to_image)


def favours_of(seen: Tensor, balance: float, groups: Sequence[Sequence[int]]) -> Tensor:
    """Favour captions while training by the logarithm of how frequent their group is.

    Then what is learned does not favour them: half of the lessons are well-lit, but a photo in
    doubt is called so no more readily than by a harm's name (logit adjustment, arXiv 2007.07314).

    Args:
        seen: (K,) how often each caption was seen.
        balance: factor of the logarithm; 1 is the reference's.
        groups: captions whose frequencies count together.

    Returns:
        (K,); 0 would be a group that is all there is.
    """
    shares = seen / seen.sum()
    grouped = shares.clone()
    for group in groups:
        grouped[group] = shares[group].sum()
    return balance * grouped.log()


def guide_loss(scores: Tensor, well_lit: Tensor, margin: float) -> Tensor:
    """How far pairs are from the order in which a guide must see them.

    Of a pair, the picture that is better lit must score higher, by `margin` times what it is better
    lit by. So no harm to a photo looks like a better light, whatever the photo shows.

    Args:
        scores: (N,) of pictures 0 and 1, which are a pair, 2 and 3, ...
        well_lit: (N,) share of "a well-lit photo" in their labels, 0 to 1.
        margin: for a picture that is well-lit and one that is not at all.
    """
    difference = well_lit[0::2] - well_lit[1::2]
    ahead = difference.sign() * (scores[0::2] - scores[1::2])
    return torch.relu(margin * difference.abs() - ahead).mean()


class Residual:
    """RAVE's residual vector of what a model has lately been shown, from backlit to well-lit."""

    def __init__(self) -> None:
        self.sums = torch.zeros(2, ARCHITECTURE["embed_dim"])

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take another batch into account and return the unit vector (D,).

        Args:
            images: (N, D) unit embeddings.
            labels: (N, K) distribution of each picture over the captions.
        """
        weights = torch.stack([labels[:, BACKLIT].sum(1), labels[:, WELL_LIT]])
        self.sums = 0.95 * self.sums + weights @ images.detach()
        backlit, well_lit = normalize(self.sums, dim=1)
        return normalize(well_lit - backlit, dim=0)


def train(folder: Path, batch: int, seed: int, stages: Sequence[Stage] = STAGES) -> CLIP:
    """Train on the photographs of a folder and return the model in eval mode."""
    torch.manual_seed(seed)
    model = CLIP(**ARCHITECTURE).to(memory_format=torch.channels_last)
    # A small fixed scale asks for large angles between lights, and so for a guide that keeps its
    # slope; a learned one grows, and sorts with small angles.
    model.logit_scale.requires_grad_(False).fill_(np.log(LOGIT_SCALE))
    first = 0
    for stage in stages:
        numbers = range(first, first + stage.steps * batch)
        train_stage(model, stage, Lessons(folder, numbers, stage.pairs, seed), batch)
        first = numbers.stop
    return model.eval()


def train_stage(model: CLIP, stage: Stage, lessons: Lessons, batch: int) -> None:
    """Train a model in place."""
    tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH)
    loader = DataLoader(lessons, batch, num_workers=1, prefetch_factor=8)
    light_tokens = tokenizer(list(CAPTIONS))
    full_tokens = torch.stack(
        [tokenizer([with_content(c, s) for c in CAPTIONS]) for s in [*lessons.contents, "nothing"]]
    )
    full_tokens[-1] = light_tokens
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
        lr=stage.learning_rate,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, stage.learning_rate, total_steps=stage.steps, pct_start=0.1
    )
    mean, std = (torch.tensor(PREPROCESSING[k]).view(3, 1, 1) for k in ("mean", "std"))
    model.train()
    progress = tqdm(loader, desc="pairs" if stage.pairs else "scenes", unit="step")
    average = None
    residual = Residual()
    seen = torch.ones(len(CAPTIONS))
    for pictures, labels, contents in progress:
        drawn = torch.multinomial(labels, 1)[:, 0]
        tokens = torch.cat([light_tokens, full_tokens[contents, drawn]])
        encoded = normalize(model.encode_text(tokens), dim=-1)
        images = normalize(model.encode_image((pictures.float() / 255 - mean) / std), dim=-1)
        captions, texts = encoded[: len(CAPTIONS)], encoded[len(CAPTIONS) :]
        seen += labels.sum(0)
        favours = favours_of(seen, stage.balance, stage.groups)
        loss = contrastive_loss(images, captions, texts, labels, contents, drawn, favours)
        if stage.pairs:
            vector, well_lit = residual(images, labels), labels[:, WELL_LIT]
            loss = loss + 5 * guide_loss(images @ captions[WELL_LIT], well_lit, margin=0.3)
            loss = loss + 5 * guide_loss(images @ vector, well_lit, margin=0.15)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"loss is {loss.item()} at step {progress.n}; lower the stage's learning rate"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        progress.set_postfix(loss=f"{average:.3f}")


def save(model: nn.Module, folder: Path) -> None:
    """Write open_clip's local-dir layout; weights in half precision, which halves the download."""
    config = {"model_cfg": ARCHITECTURE, "preprocess_cfg": PREPROCESSING}
    write_whole(folder / "open_clip_config.json", json.dumps(config, indent=2) + "\n")
    state = {
        k: v.half().contiguous() if v.is_floating_point() else v
        for k, v in model.state_dict().items()
    }
    with replacing(folder / "open_clip_model.safetensors") as unfinished:
        save_file(state, unfinished)


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    started = time.time()
    stages = [replace(stage, steps=arguments.steps or stage.steps) for stage in STAGES]
    model = train(arguments.photos / "train", arguments.batch, arguments.seed, stages)
    save(model, arguments.out)
    figures = lighting_report(FrozenCLIP(f"local-dir:{arguments.out}"), arguments.photos / "test")
    figures["minutes"] = round((time.time() - started) / 60, 1)
    write_whole(arguments.out / "report.json", json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(given)
