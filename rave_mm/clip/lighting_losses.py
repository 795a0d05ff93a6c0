"""What teaches the bundled CLIP: captions that fit, and an order that nothing fools.

Contrastive learning alone gives a model that sorts. What guides a network must order pictures: of
two pictures of a scene, the one that is nearer to the right one must score higher, whatever was
done to it, and also what climbing the score itself comes up with.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, normalize

HALF_QUALITY = 0.1
"""RMS difference to the right picture, in [0, 1], at which half of the quality is lost: 20 dB."""
WITHIN, ACROSS = 0.1, 0.25
"""Differences of quality from which pairs of one scene, and of two, are ranked."""
ACROSS_WEIGHT = 0.3
CONTENT_WEIGHT = 0.25
"""Of telling what pictures show: it spreads right pictures, which should score alike."""


def contrastive_loss(
    images: Tensor,
    captions: Tensor,
    texts: Tensor,
    labels: Tensor,
    contents: Tensor,
    drawn: Tensor,
    favours: Tensor,
    scale: float,
) -> Tensor:
    """CLIP's symmetric cross-entropy, with graded targets.

    Args:
        images: (N, D) unit embeddings of the pictures.
        captions: (K, D) unit embeddings of the captions about light alone.
        texts: (M, D) unit embeddings of a full caption (light and content) for each of the first M
            pictures.
        labels: (N, K) distribution of each picture over the captions.
        contents: (M,) index of the content, -1 for none.
        drawn: (M,) which caption each full caption was made from.
        favours: (K,) added to the logits of the captions about light, see :func:`favours_of`.
        scale: factor of the cosines.
    """
    about_light = cross_entropy(scale * images @ captions.T + favours, labels)
    # A full caption fits a picture as much as its light fits, if both show the same thing.
    told = len(texts)
    fit = labels[:told, drawn] * (contents[:, None] == contents[None])
    logits = scale * images[:told] @ texts.T
    to_text = cross_entropy(logits, fit / fit.sum(1, keepdim=True).clamp_min(1e-6))
    to_image = cross_entropy(logits.T, fit.T / fit.T.sum(1, keepdim=True).clamp_min(1e-6))
    return about_light + CONTENT_WEIGHT * (to_text + to_image)


def favours_of(seen: Tensor, balance: float, groups: Sequence[Sequence[int]]) -> Tensor:
    """Favour captions while training by the logarithm of how frequent their group is.

    Then what is learned does not favour them: many lessons are well-lit, but a photo in doubt is
    called so no more readily than by a harm's name (logit adjustment, arXiv 2007.07314).

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


def quality(pictures: Tensor, right: Tensor) -> Tensor:
    """How near pictures are to the right ones: 0 where they are equal, towards -1 far away.

    ``-d / (d + HALF_QUALITY)`` with the RMS difference ``d`` of values in [0, 1]; so it is a
    function of PSNR, and steepest near the right picture.

    Args:
        pictures: (N, C, H, W), sRGB in [0, 1].
        right: (N, C, H, W), the right picture of each one's scene.

    Returns:
        (N,)
    """
    distance = (pictures - right).square().mean((1, 2, 3)).sqrt()
    return -distance / (distance + HALF_QUALITY)


def ranking_loss(scores: Tensor, qualities: Tensor, scenes: Tensor, margin: float) -> Tensor:
    """How far scores are from the order of the qualities.

    Of two pictures, the better one must score higher by ``margin`` times what it is better by. Of
    one scene, pairs count that differ by :data:`WITHIN` or more: who could tell which of two
    pictures is worse that are about as far off? Of two scenes, pairs that differ by
    :data:`ACROSS`; these count :data:`ACROSS_WEIGHT` times as much.

    Args:
        scores: (N,)
        qualities: (N,), see :func:`quality`.
        scenes: (N,) index of the scene that a picture shows.
        margin: for a whole quality.
    """
    better = qualities[:, None] - qualities[None]
    short = torch.relu(margin * better - (scores[:, None] - scores[None]))
    same = scenes[:, None] == scenes[None]
    loss = scores.new_zeros(())
    for weight, part in (
        (1.0, short[same & (better >= WITHIN)]),
        (ACROSS_WEIGHT, short[~same & (better >= ACROSS)]),
    ):
        if len(part):
            loss = loss + weight * part.mean()
    return loss


def climb(
    pictures: Tensor,
    score: Callable[[Tensor], Tensor],
    cells: int,
    channels: int,
    step: float,
) -> Iterator[Tensor]:
    """Change the light of pictures as an enhancer could, so that they score higher.

    A picture is divided by a light map of ``cells`` x ``cells`` cells, enlarged smoothly; the map's
    logarithm climbs the score's gradient. What comes out is what RAVE's training finds when the
    score is all that it follows: better light if the score is right, and its blind spots if not.

    Args:
        pictures: (N, 3, H, W), sRGB in [0, 1].
        score: gives (N,) for pictures; only its gradient counts.
        cells: of the light map, along each side.
        channels: 1 for a light map, 3 for one that can tint.
        step: how far the map's logarithm may go in each step, at the cell that goes farthest.

    Yields:
        (N, 3, H, W), sRGB in [0, 1], without a gradient: the pictures as they are, after one step,
        after two, and so on without an end.
    """
    size = pictures.shape[2:]
    light = pictures.new_zeros(len(pictures), channels, cells, cells)
    while True:
        light.requires_grad_(True)
        enlarged = interpolate(light, size, mode="bilinear", align_corners=False)
        relit = (pictures * enlarged.exp()).clamp(0, 1)
        yield relit.detach()
        (gradient,) = torch.autograd.grad(score(relit).sum(), light)
        largest = gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        light = (light + step * gradient / largest).detach()


class RunningResidual:
    """RAVE's residual vector of what a model has lately been shown, from backlit to well-lit."""

    def __init__(self, size: int, backlit: Sequence[int], well_lit: int) -> None:
        self.sums = torch.zeros(2, size)
        self.backlit, self.well_lit = list(backlit), well_lit

    def update(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take another batch into account and return the unit vector (D,).

        Args:
            images: (N, D) unit embeddings.
            labels: (N, K) distribution of each picture over the captions.
        """
        weights = torch.stack([labels[:, self.backlit].sum(1), labels[:, self.well_lit]])
        self.sums = 0.95 * self.sums + weights @ images.detach()
        return self.vector

    @property
    def vector(self) -> Tensor:
        """(D,), unit length."""
        backlit, well_lit = normalize(self.sums, dim=1)
        return normalize(well_lit - backlit, dim=0)

    @property
    def target(self) -> float:
        """Where RAVE wants pictures to lie along the vector."""
        return float(normalize(self.sums[1], dim=0) @ self.vector)
