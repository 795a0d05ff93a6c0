"""CLIP-LIT's losses as MMagic components (arXiv 2303.17569).

The equations are in `rave_mm.functional`. One loss teaches the network what a prompt pair or a
latent pair says of its pictures; the other two teach the pair what photos look like.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from mmagic.registry import MODELS
from torch import Tensor
from typing_extensions import Unpack

from rave_mm.functional import (
    PUBLISHED_MARGINS,
    clip_enhance_loss,
    prompt_initialisation_loss,
    prompt_ranking_loss,
    prompt_score,
)
from rave_mm.losses.clip_loss import CLIPLoss
from rave_mm.losses.pictures import Results
from rave_mm.losses.prompt_pairs import pair_from_file

PUBLISHED_SCALE = 100.0
"""What the papers multiply cosines with: the logit scale of OpenAI's CLIP.

A CLIP with another scale (the bundled one: 10) has other angles between lights; with too great a
scale the score saturates, and there is no gradient left.
"""


class PairLossSettings(TypedDict, total=False):
    """The settings of a :class:`PairLoss`, which explains them."""

    scale: float
    clip: Mapping[str, Any] | None
    loss_weight: float
    channel_order: str
    value_range: tuple[float, float]


class PairLoss(CLIPLoss):
    """A loss that measures with a pair.

    Args:
        scale: factor of the cosines, the CLIP's logit scale; the same in all losses of a pair.
        clip, loss_weight, channel_order, value_range: as in
            :class:`rave_mm.losses.clip_loss.CLIPLoss`.
    """

    def __init__(
        self,
        clip: Mapping[str, Any] | None = None,
        loss_weight: float = 1.0,
        channel_order: str = "rgb",
        value_range: tuple[float, float] = (0.0, 1.0),
        scale: float = PUBLISHED_SCALE,
    ) -> None:
        super().__init__(clip, loss_weight, channel_order, value_range)
        self.scale = scale


@MODELS.register_module()
class CLIPEnhanceLoss(PairLoss):
    """`L_clip = mean_batch S(y)`: how backlit pictures still are, by a pair.

    A model that learns the pair hands its vectors over. Any other model of MMagic can take this as
    its pixel loss, with a pair from a file.

    Args:
        pair: file of a pair that stays as it is, as for the `start` of
            :class:`rave_mm.losses.prompt_pairs.PromptPair` or `LatentPair`; it is read, and prompts
            are encoded, once. None where the model hands a pair over.
        settings: those of :class:`PairLoss`; the papers' loss_weight is 320.

    Raises:
        ValueError: as in :class:`rave_mm.losses.clip_loss.CLIPLoss`; a file without a pair, or with
            one of another CLIP.
    """

    vectors: Tensor

    def __init__(
        self,
        pair: str | Path | None = None,
        **settings: Unpack[PairLossSettings],
    ) -> None:
        super().__init__(**settings)
        self.pair_file = pair
        # The file's pair, once it is read. The file has it: a checkpoint need not.
        self.register_buffer("vectors", torch.empty(0), persistent=False)

    def _load(self) -> None:
        super()._load()
        if self.pair_file is not None and self.vectors.numel() == 0:
            pair = pair_from_file(self.pair_file, self.clip_settings)
            self.vectors = pair().detach().to(self.vectors.device)

    def forward(
        self, pred: Results, target: Results | None = None, pair: Tensor | None = None
    ) -> Tensor:
        """The weighted loss of enhanced pictures. Scalar.

        Args:
            pred: the pictures, as in :class:`rave_mm.losses.clip_loss.CLIPLoss`.
            target: not compared with; MMagic's models hand it over.
            pair: (2, D), negative first, where the loss has no file.

        Raises:
            ValueError: there is no pair, or there are two; pictures as in :meth:`CLIPLoss.batches`.
        """
        if (pair is None) == (self.pair_file is None):
            raise ValueError(
                f"CLIPEnhanceLoss got {'no pair' if pair is None else 'two pairs'}: expected "
                "either pair= with the file of one when it is built, or the vectors (2, D) with "
                "each call, as PromptGuidedEnhancer hands them over"
            )
        if pair is None:
            self._load()
            pair = self.vectors
        values = [
            clip_enhance_loss(self.clip.embed(rgb), pair, self.scale)
            for rgb, _ in self.batches(pred, target)
        ]
        return self.loss_weight * torch.stack(values).mean()


class PromptLoss(PairLoss):
    """A loss that teaches a pair: called `(pair, backlit, well_lit, results)`.

    No gradient reaches the pictures.
    """

    max_results = 0
    """How many results of the network it looks at, at most."""

    @torch.no_grad()
    def embed(self, *batches: Tensor) -> list[Tensor]:
        """Unit embeddings (N, D) of batches (N, 3, H, W), those of a size in one pass."""
        found: dict[int, Tensor] = {}
        for size in {batch.shape[2:] for batch in batches}:
            members = [i for i, batch in enumerate(batches) if batch.shape[2:] == size]
            together = torch.cat([self.to_rgb(batches[i]) for i in members])
            counts = [len(batches[i]) for i in members]
            parts = self.clip.embed(together).split(counts)
            found.update(zip(members, parts, strict=True))
        return [found[i] for i in range(len(batches))]

    def forward(
        self, pair: Tensor, backlit: Tensor, well_lit: Tensor, results: Sequence[Tensor] = ()
    ) -> Tensor:
        """The weighted loss. Scalar.

        Args:
            pair: (2, D), negative first; the gradient reaches it.
            backlit: backlit photos (N, 3, H, W).
            well_lit: well-lit photos (M, 3, H, W).
            results: the network's results of the backlit photos, each (N, 3, H, W), oldest first;
                of more than `max_results` the newest.
        """
        raise NotImplementedError


@MODELS.register_module()
class PromptInitialisationLoss(PromptLoss):
    """Cross-entropy of `scale * <f, T>` against 0 for backlit photos and 1 for well-lit ones."""

    def forward(
        self, pair: Tensor, backlit: Tensor, well_lit: Tensor, results: Sequence[Tensor] = ()
    ) -> Tensor:
        """As :meth:`PromptLoss.forward`, averaged over all photos; results are not looked at."""
        embeddings = torch.cat(self.embed(backlit, well_lit))
        labels = torch.ones(len(embeddings), dtype=torch.int64, device=embeddings.device)
        labels[: len(backlit)] = 0
        return self.loss_weight * prompt_initialisation_loss(embeddings, pair, labels, self.scale)


@MODELS.register_module()
class PromptRankingLoss(PromptLoss):
    """Margin ranking of how backlit photos and the network's results are, by the pair.

    The equations, which differ by the number of results, are in
    :func:`rave_mm.functional.prompt_ranking_loss`.

    Args:
        max_results: how many results to rank at most: 2 for the paper's `I_{t-1}` and `I_t`, 1 for
            its ablation without `I_{t-1}`, 0 for photos alone.
        margins: for each number of results from 0 to `max_results`, one margin more than results.
        settings: those of :class:`PairLoss`; the paper's loss_weight is 200.

    Raises:
        ValueError: as in :class:`rave_mm.losses.clip_loss.CLIPLoss`; another number of results, or
            margins that do not fit.
    """

    def __init__(
        self,
        max_results: int = 2,
        margins: Sequence[Sequence[float]] = PUBLISHED_MARGINS,
        **settings: Unpack[PairLossSettings],
    ) -> None:
        super().__init__(**settings)
        if max_results not in (0, 1, 2):
            raise ValueError(f"max_results: got {max_results!r}, expected 0, 1 or 2")
        counts = [len(some) for some in margins]
        if len(margins) <= max_results or counts != list(range(1, len(margins) + 1)):
            raise ValueError(
                f"margins: got {margins}, expected (m0,), (m0, m1), (m0, m1, m2): for each number "
                f"of results from 0 to {max_results}, one margin more"
            )
        self.max_results = max_results
        self.margins = tuple(tuple(some) for some in margins)

    def forward(
        self, pair: Tensor, backlit: Tensor, well_lit: Tensor, results: Sequence[Tensor] = ()
    ) -> Tensor:
        """As :meth:`PromptLoss.forward`; as many well-lit photos as backlit ones (M = N)."""
        newest = results[max(0, len(results) - self.max_results) :]
        scores = [
            prompt_score(rows, pair, self.scale) for rows in self.embed(backlit, well_lit, *newest)
        ]
        margins = self.margins[len(newest)]
        ranking = prompt_ranking_loss(scores[0], scores[1], scores[2:], margins)
        return self.loss_weight * ranking
