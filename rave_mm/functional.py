"""Every equation of RAVE, CLIP-LIT and CLIP-LIT-Latent as a pure function.

Notation: ``E`` is CLIP's image encoder and ``f(x) = E(x) / |E(x)|``, so that *embeddings* are unit
rows (N, D). Images are RGB in [0, 1], (N, 3, H, W). A *pair* is (2, D): row 0 is the negative
(backlit) prompt or latent vector, row 1 the positive (well-lit) one.

The losses that run in every training step check shapes only. A NaN or an infinity passes through
them into the loss, so that the training loop can stop and name the iteration and the photographs;
a check here would also make a GPU wait in every step. What is computed once for a whole run
(:func:`residual_vector`, :func:`token_shift`) refuses values that are not finite.

float16 and bfloat16 embeddings, features and light maps are computed with in float32.
Cosines are sums of products, not matrix products, which autocast would turn into low precision.

Papers: RAVE, arXiv 2404.01889 (ECCV 2024); CLIP-LIT, arXiv 2303.17569 (ICCV 2023).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PUBLISHED_MARGINS: tuple[tuple[float, ...], ...] = ((1.0,), (0.9, 0.2), (0.9, 0.1, 0.1))
"""CLIP-LIT's ranking margins, by how many results of the network are ranked (0, 1, 2)."""

_DEGENERATE = 1e-6
_UNIT_TOLERANCE = 1e-2


def apply_light_map(image: Tensor, light_map: Tensor, eps: float = 1e-9) -> Tensor:
    """Divide a photograph by its light map: ``clamp(x / (M + eps), 0, 1)``.

    The result and its gradients are finite for every light map that is zero or more, float16
    included: where ``M`` is 0, black stays black and every other value becomes 1.

    Args:
        image: The photograph ``x`` (N, C, H, W) in [0, 1].
        light_map: The light map ``M`` (N, 1, H, W), zero or more.
        eps: Keeps the division finite. The default is the one of CLIP-LIT's published training
            code; its inference code has none. Neither shows in a result where ``M > 1e-3``.

    Returns:
        The enhanced photograph, of the shape and type of ``image``.

    Raises:
        ValueError: If the shapes do not fit or ``eps`` is not above zero.
    """
    if image.ndim != 4 or light_map.shape != (image.shape[0], 1, *image.shape[2:]):
        raise ValueError(
            f"got image {tuple(image.shape)} and light map {tuple(light_map.shape)}; expected "
            "(N, C, H, W) and (N, 1, H, W) with the same N, H and W"
        )
    if not eps > 0:
        raise ValueError(f"got eps={eps}; it must be above zero, or a light map of 0 gives NaN")
    enhanced = _at_least_float32(image) / (_at_least_float32(light_map) + eps)
    return enhanced.clamp(0, 1).to(image.dtype)


def clip_input(
    images: Tensor,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    antialias: bool = False,
) -> Tensor:
    """Prepare image tensors for CLIP inside a loss: bilinear resize, then CLIP's mean and std.

    The aspect ratio is not kept. Without antialiasing this is what the published code does to
    tensors; only the residual vector's photographs go through PIL.

    Args:
        images: RGB in [0, 1], (N, 3, H, W).
        size: Side of CLIP's square input, in pixels.
        mean: CLIP's mean of red, green and blue.
        std: CLIP's standard deviation of red, green and blue.
        antialias: Whether to low-pass before shrinking.

    Returns:
        (N, 3, size, size), float32 or wider.

    Raises:
        ValueError: If a shape, the type of the images, or a number of channel values is wrong.
    """
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(
            f"got images of shape {tuple(images.shape)}; expected RGB (N, 3, H, W), not empty"
        )
    if not images.is_floating_point():
        raise ValueError(f"got images of type {images.dtype}; expected floating point in [0, 1]")
    if size < 1 or len(mean) != 3 or len(std) != 3 or 0 in std:
        raise ValueError(
            f"got size={size}, mean={tuple(mean)}, std={tuple(std)}; expected a size of 1 or more "
            "and three means and three standard deviations other than 0"
        )
    images = _at_least_float32(images)
    if images.shape[2:] != (size, size):
        images = F.interpolate(
            images, (size, size), mode="bilinear", align_corners=False, antialias=antialias
        )
    return (images - images.new_tensor(mean).view(3, 1, 1)) / images.new_tensor(std).view(3, 1, 1)


def residual_vector(well_lit: Tensor, backlit: Tensor) -> tuple[Tensor, float]:
    """Direction in CLIP space from backlit to well-lit photographs (RAVE).

    ``p = norm(mean f(well_lit))``, ``n = norm(mean f(backlit))``, ``v = norm(p - n)`` and
    ``t = <p, v>``. Means are taken in float64; no gradient flows.

    Args:
        well_lit: Embeddings of well-lit photographs, unit rows (N, D).
        backlit: Embeddings of backlit photographs, unit rows (M, D).

    Returns:
        The unit vector ``v`` (D,), in the type and on the device of ``well_lit``, and ``t``.

    Raises:
        ValueError: If a shape is wrong, a set is empty, a value is not finite, a row is not of
            unit length, or the two means are equal, so that there is no direction.
    """
    _check_rows("well_lit", well_lit)
    _check_rows("backlit", backlit, well_lit.shape[1])
    means = []
    for name, rows in (("well_lit", well_lit), ("backlit", backlit)):
        rows = rows.detach().cpu().double()
        _check_finite(name, rows)
        lengths = rows.norm(dim=1)
        if (lengths - 1).abs().max() > _UNIT_TOLERANCE:
            raise ValueError(
                f"got {name} rows of length {lengths.min():.4g} to {lengths.max():.4g}; expected "
                "unit length: divide each embedding by its norm first"
            )
        means.append(_direction(rows.mean(0), f"the mean of the {name} embeddings is zero"))
    positive, negative = means
    vector = _direction(
        positive - negative,
        "the mean embeddings of the well-lit and the backlit photographs are equal, so there is "
        "no residual vector: check that the two folders hold different photographs",
    )
    return vector.to(well_lit), float(positive @ vector)


def residual_guidance_loss(embeddings: Tensor, vector: Tensor, target: float | Tensor) -> Tensor:
    """RAVE guidance ``L_res = mean_batch (<f(y), v> - t)^2`` (RAVE).

    Args:
        embeddings: Embeddings of the enhanced images, unit rows (N, D).
        vector: Residual vector ``v`` (D,).
        target: ``t``, as :func:`residual_vector` gives it.

    Returns:
        The loss, a scalar without its weight.

    Raises:
        ValueError: If a shape is wrong or the batch is empty.
    """
    _check_rows("embeddings", embeddings)
    _check_vector(vector, embeddings.shape[1])
    along = (_at_least_float32(embeddings) * _at_least_float32(vector)).sum(1)
    return (along - target).square().mean()


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


def identity_loss(
    features: Sequence[Tensor],
    reference_features: Sequence[Tensor],
    layer_weights: Sequence[float],
) -> Tensor:
    """Identity loss ``sum_batch sum_l w_l MSE(F_l(y), F_l(x))`` (CLIP-LIT).

    It sums over the batch, as the published code does, while the guidance losses average.

    Args:
        features: Feature maps of the enhanced images, one (N, C_l, H_l, W_l) for each layer.
        reference_features: Those of the input images, of the same shapes.
        layer_weights: ``w_l``, one for each layer.

    Returns:
        The loss, a scalar without its weight.

    Raises:
        ValueError: If the counts or shapes differ, or there is nothing to compare.
    """
    if not features or not len(features) == len(reference_features) == len(layer_weights):
        raise ValueError(
            f"got {len(features)} feature maps, {len(reference_features)} reference feature maps "
            f"and {len(layer_weights)} layer weights; expected the same number of each, not 0"
        )
    terms = []
    for layer, (found, wanted) in enumerate(zip(features, reference_features, strict=True)):
        if found.shape != wanted.shape or found.ndim < 2 or found.numel() == 0:
            raise ValueError(
                f"got features {tuple(found.shape)} and reference features {tuple(wanted.shape)} "
                f"in layer {layer}; expected two equal shapes (N, C, H, W), not empty"
            )
        squares = F.mse_loss(_at_least_float32(found), _at_least_float32(wanted), reduction="sum")
        terms.append(layer_weights[layer] * squares / found[0].numel())
    return torch.stack(terms).sum()


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


def token_shift(vector: Tensor, token_embeddings: Tensor, n: int = 15) -> Tensor:
    """Take a bias that vocabulary tokens reveal out of the residual vector (RAVE, section 4.1).

    With ``s_k = <e_k, v>``: ``a = norm(mean of s_k e_k over the n largest s_k)``, ``b`` the same
    over the n smallest, ``u = norm(a + b)``, ``v' = norm(v - <v, u> u)``.

    Args:
        vector: Residual vector ``v`` (D,).
        token_embeddings: Text embedding ``e_k`` of each vocabulary token, unit rows (K, D).
        n: How many tokens to take at each end; the paper's 15.

    Returns:
        The unit vector ``v'`` (D,), in the type and on the device of ``vector``.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, ``n`` is not in 1..K, or a vector
            to normalise is zero.
    """
    _check_rows("token_embeddings", token_embeddings)
    _check_vector(vector, token_embeddings.shape[1])
    if not 1 <= n <= len(token_embeddings):
        raise ValueError(
            f"got n={n} for {len(token_embeddings)} token embeddings; expected 1 <= n <= "
            f"{len(token_embeddings)}"
        )
    _check_finite("vector", vector)
    _check_finite("token_embeddings", token_embeddings)
    original = vector.detach().cpu().double()
    tokens = token_embeddings.detach().cpu().double()
    scores = tokens @ original
    ends = []
    for largest in (True, False):
        score, index = scores.topk(n, largest=largest)
        mean = (score[:, None] * tokens[index]).mean(0)
        end = "largest" if largest else "smallest"
        ends.append(_direction(mean, f"the tokens with the {n} {end} scores average to zero"))
    bias = _direction(ends[0] + ends[1], "the two ends of the vocabulary cancel out")
    shifted = original - (original @ bias) * bias
    return _direction(shifted, "the vector is all bias: nothing is left of it").to(vector)


def remove_span(vector: Tensor, directions: Tensor) -> Tensor:
    """Take out of a residual vector whatever lies in the span of some directions.

    ``v' = norm(v - sum_j <v, q_j> q_j)`` with ``q_j`` an orthonormal basis of the span: afterwards
    ``<v', d> = 0`` for each direction ``d``.

    Args:
        vector: Residual vector ``v`` (D,).
        directions: Rows (K, D) other than 0, such as embeddings of words; they may depend on each
            other.

    Returns:
        The unit vector ``v'`` (D,), in the type and on the device of ``vector``.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, a row is zero, or nothing of the
            vector is left.
    """
    _check_rows("directions", directions)
    _check_vector(vector, directions.shape[1])
    _check_finite("vector", vector)
    _check_finite("directions", directions)
    original = vector.detach().cpu().double()
    rows = directions.detach().cpu().double()
    unit = torch.stack([_direction(row, "a direction is zero") for row in rows])
    _, sizes, basis = torch.linalg.svd(unit, full_matrices=False)
    basis = basis[sizes > _DEGENERATE * sizes[0]]
    left = original - (basis @ original) @ basis
    return _direction(
        left, f"the {len(rows)} directions span the whole vector: remove fewer of them"
    ).to(vector)


def target_along(vector: Tensor, well_lit: Tensor) -> float:
    """RAVE's target ``t = <p, v>`` of any direction, ``p`` the normalised mean embedding (RAVE).

    Args:
        vector: ``v`` (D,), of unit length.
        well_lit: Embeddings of well-lit photographs, unit rows (N, D).

    Returns:
        ``t``.

    Raises:
        ValueError: If a shape is wrong, or the mean is zero.
    """
    _check_rows("well_lit", well_lit)
    _check_vector(vector, well_lit.shape[1])
    mean = well_lit.detach().cpu().double().mean(0)
    positive = _direction(mean, "the mean of the well_lit embeddings is zero")
    return float(positive @ vector.detach().cpu().double())


def _with_unit_pair(embeddings: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
    _check_rows("embeddings", embeddings)
    if pair.shape != (2, embeddings.shape[1]):
        raise ValueError(
            f"got a pair of shape {tuple(pair.shape)}; expected (2, {embeddings.shape[1]}): "
            "the negative (backlit) and the positive (well-lit) vector"
        )
    return _at_least_float32(embeddings), F.normalize(_at_least_float32(pair), dim=1)


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _check_rows(name: str, rows: Tensor, width: int | None = None) -> None:
    if rows.ndim != 2 or 0 in rows.shape or (width is not None and rows.shape[1] != width):
        raise ValueError(
            f"got {name} of shape {tuple(rows.shape)}; "
            f"expected (N, {'D' if width is None else width}) with N above 0"
        )


def _check_vector(vector: Tensor, width: int) -> None:
    if vector.shape != (width,):
        raise ValueError(
            f"got a residual vector of shape {tuple(vector.shape)}; expected ({width},), the "
            "width of the embeddings: were they computed with the same CLIP model?"
        )


def _check_finite(name: str, values: Tensor) -> None:
    finite = values.isfinite()
    if not finite.all():
        rows = (~finite).nonzero()[:, 0].unique().tolist()
        raise ValueError(
            f"got NaN or infinity in {name} at {rows[:10]}{' ...' if len(rows) > 10 else ''} "
            f"({len(rows)} of {len(values)}); expected finite values: check the photographs and "
            "the precision CLIP ran in"
        )


def _direction(vector: Tensor, why_degenerate: str) -> Tensor:
    length = vector.norm()
    if length < _DEGENERATE:
        raise ValueError(f"cannot normalise a vector of length {length:.2g}: {why_degenerate}")
    return vector / length
