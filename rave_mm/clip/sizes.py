"""How large a CLIP's embeddings and prompts are, told without its weights where that can be."""

from dataclasses import dataclass

import open_clip
from open_clip.model import CLIPTextCfg

from rave_mm.clip.bundled import BUNDLED, BUNDLED_FOLDER
from rave_mm.clip.encoder import load_clip
from rave_mm.clip.image_encoder import TIMM


@dataclass(frozen=True)
class ClipSizes:
    """The sizes that a prompt pair and a latent pair need."""

    dimension: int
    """D, the number of components of an embedding."""
    prompt: tuple[int, int] | None
    """(context length, width) of a prompt's token embeddings; None without such a text tower."""


def clip_sizes(
    model: str = BUNDLED,
    pretrained: str | None = None,
    precision: str = "float32",
    antialias: bool = False,
) -> ClipSizes:
    """The sizes of the CLIP of these settings, without its weights where open_clip knows them."""
    config = open_clip.get_model_config(
        f"local-dir:{BUNDLED_FOLDER}" if model == BUNDLED else model
    )
    if config is None:  # weights that tell the architecture, timm's, or a name that nobody knows
        clip = load_clip(model, pretrained, precision, antialias)
        if model.startswith(TIMM):
            return ClipSizes(clip.dimension, None)
        context, width = clip.text_tower.positional_embedding.shape
        return ClipSizes(clip.dimension, (context, width))
    text = CLIPTextCfg(**config["text_cfg"])
    prompt = None if text.hf_model_name else (text.context_length, text.width)
    return ClipSizes(config["embed_dim"], prompt)
