"""Words and phrases as a CLIP sees them: its own vocabulary, or a user's list."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from rave_mm.clip.embedding_cache import EmbeddingCache
from rave_mm.clip.encoder import FrozenCLIP

_BATCH = 512


@dataclass(frozen=True)
class Words:
    """Words or phrases, and their embeddings."""

    words: tuple[str, ...]
    embeddings: Tensor
    """(K, D) unit rows, float32, on the CPU."""


def vocabulary(clip: FrozenCLIP) -> Words:
    """Every token of CLIP's vocabulary as a text of its own, in batches, with a progress bar.

    Computed once for each CLIP, on the GPU where there is one, then taken from the cache.

    Raises:
        TypeError: the CLIP has no text tower, or one with another tokenizer than CLIP's.
    """
    cache = EmbeddingCache("vocabulary", clip.text_fingerprint, clip.precision)
    names = tuple(clip.vocabulary)
    kept = cache.read(len(names), clip.dimension, f"{len(names)} tokens")
    if kept is not None:
        return Words(names, kept)
    embeddings = embed_first_tokens(clip, len(names))
    cache.write(embeddings)
    return Words(names, embeddings)


def embed_first_tokens(clip: FrozenCLIP, count: int) -> Tensor:
    """Embed so many tokens from the start of CLIP's vocabulary, each as a text, past the cache.

    In batches, with a progress bar, on the GPU where there is one.

    Returns:
        (count, D) unit rows, on the CPU.

    Raises:
        TypeError: the CLIP has no text tower, or one with another tokenizer than CLIP's.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = []
    with tqdm(total=count, desc=f"CLIP {clip.name}", unit="token") as progress:
        for tokens in torch.arange(count).split(_BATCH):
            rows.append(clip.embed_tokens(tokens.to(device)).cpu())
            progress.update(len(tokens))
    return torch.cat(rows)


@torch.no_grad()
def embed_phrases(clip: FrozenCLIP, phrases: Sequence[str]) -> Words:
    """Words or phrases of one's own, in batches.

    Args:
        clip: a CLIP with a text tower.
        phrases: at least one; none may be empty or longer than the context of the CLIP.

    Raises:
        TypeError: the CLIP has no text tower, or one with another tokenizer than CLIP's.
        ValueError: no phrase, an empty one, or one that is too long.
    """
    if not phrases or not all(phrase.strip() for phrase in phrases):
        raise ValueError(f"got the phrases {list(phrases)}; expected at least one, none empty")
    rows = []
    for first in range(0, len(phrases), _BATCH):
        embedding, end = clip.token_embeddings(phrases[first : first + _BATCH])
        rows.append(clip.embed_prompts(embedding, end).cpu())
    return Words(tuple(phrases), torch.cat(rows))
