"""From learnable token embeddings to text features, through an open_clip text tower.

open_clip has two layouts: the tower's parts on the model itself (`CLIP`, as OpenAI's), or on
`model.text` (`CustomTextCLIP`). Their names are the same in both.
"""

from typing import TypeAlias

import torch
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

TextTower: TypeAlias = CLIP | TextTransformer
#: How open_clip calls reading a text's feature at its end token.
_AT_THE_END = ("argmax", "eos")


def find_text_tower(model: nn.Module, name: str) -> TextTower:
    """The part of an open_clip model that has the parts of its text tower.

    Args:
        model: an open_clip model.
        name: what to call it in an error.

    Raises:
        TypeError: it has no text tower that takes token embeddings and gives the feature at the end
            token.
    """
    tower = model if isinstance(model, CLIP) else getattr(model, "text", None)
    if isinstance(tower, CLIP):
        pool = tower.text_pool_type
    elif isinstance(tower, TextTransformer):
        pool = tower.pool_type if tower.cls_emb is None else "class token"
    else:
        kind = "none" if tower is None else f"a {type(tower).__name__}"
        raise TypeError(
            f"{name}: its text tower is {kind}, but a prompt pair needs open_clip's own, which "
            "takes token embeddings; name another CLIP, or use a LatentPair, which needs no text "
            "tower"
        )
    if pool not in _AT_THE_END:
        raise TypeError(
            f"{name}: its text tower gives the feature of another token than the end token "
            f"({pool}), where a prompt pair is read; name another CLIP, or use a LatentPair, which "
            "needs no text tower"
        )
    return tower


def encode_prompts(tower: TextTower, embedding: Tensor, end: Tensor) -> Tensor:
    """Text features of prompts that are given as token embeddings (CLIP-LIT, arXiv 2303.17569).

    Args:
        tower: what :func:`find_text_tower` gave.
        embedding: token embeddings (K, L, width), without position; L at most the tower's context
            length.
        end: where the end token of each prompt is, (K,) int64, in 1..L-1.

    Returns:
        (K, D), not normalised. Gradients reach `embedding`.

    Raises:
        ValueError: a shape that does not fit the tower.
    """
    context, width = tower.positional_embedding.shape
    if embedding.ndim != 3 or embedding.shape[1] > context or embedding.shape[2] != width:
        raise ValueError(
            f"got prompts of shape {tuple(embedding.shape)}; expected (K, L, {width}) with L at "
            f"most {context}: were they made for another CLIP?"
        )
    if end.shape != embedding.shape[:1] or end.dtype != torch.int64:
        raise ValueError(
            f"got ends {tuple(end.shape)} of {end.dtype} for {len(embedding)} prompts; expected a "
            "torch.int64 position for each"
        )
    mask = tower.attn_mask
    if mask is not None:
        # No token sees those behind it: what follows the last end token has no influence.
        embedding = embedding[:, : int(end.max()) + 1]
        mask = mask[: embedding.shape[1], : embedding.shape[1]]
    hidden = embedding + tower.positional_embedding[: embedding.shape[1]]
    hidden = tower.ln_final(tower.transformer(hidden, attn_mask=mask))
    features = hidden[torch.arange(len(end), device=end.device), end]
    projection = tower.text_projection
    if projection is None:
        return features
    return projection(features) if isinstance(projection, nn.Linear) else features @ projection
