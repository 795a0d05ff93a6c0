"""RAVE's residual vector, its target, and the guidance along it."""

from torch import Tensor

from rave_mm.functional.checks import (
    at_least_float32,
    check_finite,
    check_rows,
    check_vector,
    direction_of,
)

_UNIT_TOLERANCE = 1e-2


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
    check_rows("well_lit", well_lit)
    check_rows("backlit", backlit, well_lit.shape[1])
    means = []
    for name, rows in (("well_lit", well_lit), ("backlit", backlit)):
        rows = rows.detach().cpu().double()
        check_finite(name, rows)
        lengths = rows.norm(dim=1)
        if (lengths - 1).abs().max() > _UNIT_TOLERANCE:
            raise ValueError(
                f"got {name} rows of length {lengths.min():.4g} to {lengths.max():.4g}; expected "
                "unit length: divide each embedding by its norm first"
            )
        means.append(direction_of(rows.mean(0), f"the mean of the {name} embeddings is zero"))
    positive, negative = means
    vector = direction_of(
        positive - negative,
        "the mean embeddings of the well-lit and the backlit photographs are equal, so there is "
        "no residual vector: check that the two folders hold different photographs",
    )
    return vector.to(well_lit), float(positive @ vector)


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
    check_rows("well_lit", well_lit)
    check_vector(vector, well_lit.shape[1])
    mean = well_lit.detach().cpu().double().mean(0)
    positive = direction_of(mean, "the mean of the well_lit embeddings is zero")
    return float(positive @ vector.detach().cpu().double())


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
    check_rows("embeddings", embeddings)
    check_vector(vector, embeddings.shape[1])
    along = (at_least_float32(embeddings) * at_least_float32(vector)).sum(1)
    return (along - target).square().mean()
