"""CLIP-LIT's score of a prompt pair, and the losses around it. CLIP-LIT-Latent's are the same."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rave_mm.functional.checks import at_least_float32, check_rows

PUBLISHED_MARGINS: tuple[tuple[float, ...], ...] = ((1.0,), (0.9, 0.2), (0.9, 0.1, 0.1))
"""CLIP-LIT's ranking margins, by how many results of the network are ranked (0, 1, 2)."""


def prompt_score(embeddings: Tensor, pair: Tensor, scale: float = 100.0) -> Tensor:
    """How backlit images are, by a prompt pair (CLIP-LIT).

    ``S(y) = softmax(scale * [<f(y), T_neg>, <f(y), T_pos>])[neg]``: 1 is backlit, 0 well-lit.

    Args:
        embeddings: Unit rows (N, D).
        pair: Encoded prompts or latent vectors (2, D), negative first; normalised here.
        scale: Inverse temperature.

    Returns:
        Scores (N,) in [0, 1].

    Raises:
        ValueError: If a shape is wrong or the batch is empty.
    """
    embeddings, unit_pair = _with_unit_pair(embeddings, pair)
    # The softmax of two, from the difference of the vectors: the score saturates, and rounding
    # each cosine first would show in its gradient.
    return torch.sigmoid(scale * (embeddings * (unit_pair[0] - unit_pair[1])).sum(1))


def clip_enhance_loss(embeddings: Tensor, pair: Tensor, scale: float = 100.0) -> Tensor:
    """CLIP-Enhance loss ``L_clip = mean_batch S(y)`` (CLIP-LIT).

    Args:
        embeddings: Embeddings of the enhanced images, unit rows (N, D).
        pair: Encoded prompts or latent vectors (2, D), negative first; normalised here.
        scale: Inverse temperature.

    Returns:
        The loss, a scalar without its weight.

    Raises:
        ValueError: If a shape is wrong or the batch is empty.
    """
    return prompt_score(embeddings, pair, scale).mean()


def prompt_initialisation_loss(
    embeddings: Tensor, pair: Tensor, labels: Tensor, scale: float = 100.0
) -> Tensor:
    """Prompt initialisation: cross-entropy of ``scale * <f, T>`` (CLIP-LIT).

    Args:
        embeddings: Unit rows (N, D).
        pair: Encoded prompts or latent vectors (2, D), negative first; normalised here.
        labels: (N,) integers, 0 for backlit and 1 for well-lit.
        scale: Inverse temperature.

    Returns:
        The mean over the batch, a scalar.

    Raises:
        ValueError: If a shape or the type of the labels is wrong or the batch is empty.
    """
    embeddings, unit_pair = _with_unit_pair(embeddings, pair)
    if labels.shape != embeddings.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(
            f"got labels {tuple(labels.shape)} of {labels.dtype} for {len(embeddings)} "
            "embeddings; expected one torch.int64 label for each, 0 for backlit, 1 for well-lit"
        )
    return F.cross_entropy(scale * (embeddings[:, None] * unit_pair).sum(2), labels)


def prompt_ranking_loss(
    backlit: Tensor,
    well_lit: Tensor,
    results: Sequence[Tensor] = (),
    margins: Sequence[float] | None = None,
) -> Tensor:
    """Margin ranking of scores, which refines the prompt pair (CLIP-LIT).

    With ``h(z) = max(0, z)``, ``b`` backlit, ``w`` well-lit, averaged over the batch:

    * no result: ``h(w - b + m0)``
    * one: ``h(w - b + m0) + h(I_t - b + m0) + h(w - I_t + m1)``
    * two: ``h(w - b + m0) + h(I_{t-1} - b + m0) + h(w - I_t + m1) + h(I_t - I_{t-1} + m2)``

    Args:
        backlit: Scores of backlit photographs (N,), as :func:`prompt_score` gives them.
        well_lit: Scores of well-lit photographs (N,).
        results: Scores (N,) of the network's results, oldest first: ``()``, ``(I_t,)`` or
            ``(I_{t-1}, I_t)``.
        margins: ``(m0,)``, ``(m0, m1)`` or ``(m0, m1, m2)``, one more than results. None stands
            for :data:`PUBLISHED_MARGINS`.

    Returns:
        The loss, a scalar without its weight.

    Raises:
        ValueError: If the shapes differ, the batch is empty, there are more than two results, or
            the number of margins does not fit.
    """
    if len(results) > 2:
        raise ValueError(f"got {len(results)} results; expected at most 2: I_(t-1) and I_t")
    if margins is None:
        margins = PUBLISHED_MARGINS[len(results)]
    if len(margins) != len(results) + 1:
        raise ValueError(
            f"got {len(margins)} margins for {len(results)} results; expected "
            f"{len(results) + 1}: {('(m0,)', '(m0, m1)', '(m0, m1, m2)')[len(results)]}"
        )
    shapes = [tuple(scores.shape) for scores in (backlit, well_lit, *results)]
    if backlit.ndim != 1 or len(backlit) == 0 or len(set(shapes)) > 1:
        raise ValueError(
            f"got scores of shapes {shapes} (backlit, well_lit, results); "
            "expected the same (N,) for all, N above 0"
        )
    # Each (lower, higher, margin) asks that `lower` stay below `higher` by `margin`.
    order = [(well_lit, backlit, margins[0])]
    if results:
        order += [(results[0], backlit, margins[0]), (well_lit, results[-1], margins[1])]
    if len(results) == 2:
        order.append((results[1], results[0], margins[2]))
    terms = [F.relu(lower - higher + margin).mean() for lower, higher, margin in order]
    return torch.stack(terms).sum()


def _with_unit_pair(embeddings: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
    check_rows("embeddings", embeddings)
    if pair.shape != (2, embeddings.shape[1]):
        raise ValueError(
            f"got a pair of shape {tuple(pair.shape)}; expected (2, {embeddings.shape[1]}): "
            "the negative (backlit) and the positive (well-lit) vector"
        )
    return at_least_float32(embeddings), F.normalize(at_least_float32(pair), dim=1)
