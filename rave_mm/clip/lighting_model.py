"""The bundled CLIP as a model to train: its sizes, its texts and pictures, and its folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save as as_bytes
from torch import Tensor, nn
from torch.nn.functional import normalize

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


class Tokens:
    """CLIP's tokens of texts, each made once."""

    def __init__(self) -> None:
        self.tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH)
        self.known: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        if new := sorted(set(texts) - set(self.known)):
            self.known |= dict(zip(new, self.tokenizer(new), strict=True))
        return torch.stack([self.known[text] for text in texts])


def save_model(model: nn.Module, folder: Path, width: int) -> None:
    """Write open_clip's local-dir layout; weights in half precision, which halves the download."""
    config = {"model_cfg": architecture(width), "preprocess_cfg": PREPROCESSING}
    write_whole(folder / "open_clip_config.json", json.dumps(config, indent=2) + "\n")
    state = {
        k: v.half().contiguous() if v.is_floating_point() else v
        for k, v in model.state_dict().items()
    }
    with replacing(folder / "open_clip_model.safetensors") as unfinished:
        # Not by save_file, whose files only their owner can read.
        unfinished.write_bytes(as_bytes(state))
