"""What a residual vector should not mean, taken out of it."""

import torch
from torch import Tensor

from rave_mm.functional.checks import (
    DEGENERATE,
    check_finite,
    check_rows,
    check_vector,
    direction_of,
)


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
    check_rows("token_embeddings", token_embeddings)
    check_vector(vector, token_embeddings.shape[1])
    if not 1 <= n <= len(token_embeddings):
        raise ValueError(
            f"got n={n} for {len(token_embeddings)} token embeddings; expected 1 <= n <= "
            f"{len(token_embeddings)}"
        )
    check_finite("vector", vector)
    check_finite("token_embeddings", token_embeddings)
    original = vector.detach().cpu().double()
    tokens = token_embeddings.detach().cpu().double()
    scores = tokens @ original
    ends = []
    for largest in (True, False):
        score, index = scores.topk(n, largest=largest)
        mean = (score[:, None] * tokens[index]).mean(0)
        end = "largest" if largest else "smallest"
        ends.append(direction_of(mean, f"the tokens with the {n} {end} scores average to zero"))
    bias = direction_of(ends[0] + ends[1], "the two ends of the vocabulary cancel out")
    shifted = original - (original @ bias) * bias
    return direction_of(shifted, "the vector is all bias: nothing is left of it").to(vector)


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
    check_rows("directions", directions)
    check_vector(vector, directions.shape[1])
    check_finite("vector", vector)
    check_finite("directions", directions)
    original = vector.detach().cpu().double()
    rows = directions.detach().cpu().double()
    unit = torch.stack([direction_of(row, "a direction is zero") for row in rows])
    _, sizes, basis = torch.linalg.svd(unit, full_matrices=False)
    basis = basis[sizes > DEGENERATE * sizes[0]]
    left = original - (basis @ original) @ basis
    return direction_of(
        left, f"the {len(rows)} directions span the whole vector: remove fewer of them"
    ).to(vector)
