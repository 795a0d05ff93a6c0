"""What is taken out of a residual vector: against values worked out by hand."""

import math

import numpy as np
import pytest
import torch

from rave_mm.functional import remove_span, token_shift
from tests.functional.rows import unit_rows


class TestTokenShift:
    def test_by_hand(self) -> None:
        # The scores are r, 0 and -r with r = sqrt(0.5). Both ends point along the third axis,
        # since the lowest token counts with its negative score: that axis is the bias.
        vector = torch.tensor([1.0, 0.0, 1.0]) / math.sqrt(2)
        tokens = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 0, -1]])
        torch.testing.assert_close(token_shift(vector, tokens, 1), torch.tensor([1.0, 0, 0]))

    def test_against_the_equation(self) -> None:
        vector, tokens = unit_rows(16), unit_rows(40, 16)
        ranked = sorted(
            ((float(e @ v), e) for v, e in ((vector.numpy(), e) for e in tokens.numpy())),
            key=lambda pair: pair[0],
        )
        ends = [np.mean([s * e for s, e in end], 0) for end in (ranked[-5:], ranked[:5])]
        bias = sum(end / np.linalg.norm(end) for end in ends)
        bias /= np.linalg.norm(bias)
        wanted = vector.numpy() - (vector.numpy() @ bias) * bias
        wanted /= np.linalg.norm(wanted)
        found = token_shift(vector, tokens, 5)
        torch.testing.assert_close(found, torch.from_numpy(wanted))
        assert found.norm().item() == pytest.approx(1)
        assert abs(found.numpy() @ bias) < 1e-6

    def test_order_of_tokens_does_not_matter(self) -> None:
        vector, tokens = unit_rows(8), unit_rows(30, 8)
        torch.testing.assert_close(token_shift(vector, tokens), token_shift(vector, tokens.flip(0)))

    @pytest.mark.parametrize("n", [0, 31])
    def test_wrong_n(self, n: int) -> None:
        with pytest.raises(ValueError, match=f"got n={n} for 30 token embeddings"):
            token_shift(unit_rows(8), unit_rows(30, 8), n)

    def test_vector_that_is_all_bias(self) -> None:
        vector = unit_rows(8)
        with pytest.raises(ValueError, match="all bias"):
            token_shift(vector, vector[None], 1)

    def test_not_finite(self) -> None:
        tokens = unit_rows(30, 8)
        tokens[3, 0] = math.nan
        with pytest.raises(ValueError, match=r"NaN or infinity in token_embeddings at \[3\]"):
            token_shift(unit_rows(8), tokens, 2)


class TestRemoveSpan:
    def test_by_hand(self) -> None:
        vector = torch.tensor([0.6, 0.0, 0.8])
        found = remove_span(vector, torch.tensor([[3.0, 0, 0]]))
        torch.testing.assert_close(found, torch.tensor([0.0, 0, 1]))

    def test_nothing_of_the_directions_is_left(self) -> None:
        vector, directions = unit_rows(8), unit_rows(3, 8)
        found = remove_span(vector, directions)
        assert found.norm().item() == pytest.approx(1)
        assert (directions @ found).abs().max() < 1e-6
        torch.testing.assert_close(remove_span(found, directions), found)

    def test_directions_may_depend_on_each_other(self) -> None:
        vector, directions = unit_rows(8), unit_rows(2, 8)
        more = torch.cat([directions, directions.sum(0, keepdim=True), 5 * directions])
        torch.testing.assert_close(remove_span(vector, more), remove_span(vector, directions))

    def test_what_lies_beside_the_span_stays(self) -> None:
        torch.testing.assert_close(remove_span(torch.eye(4)[0], torch.eye(4)[1:3]), torch.eye(4)[0])

    def test_nothing_left(self) -> None:
        with pytest.raises(ValueError, match="the 8 directions span the whole vector"):
            remove_span(unit_rows(8), torch.eye(8))

    def test_a_direction_of_zero(self) -> None:
        with pytest.raises(ValueError, match="a direction is zero"):
            remove_span(unit_rows(8), torch.zeros(1, 8))
