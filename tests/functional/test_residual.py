"""The residual vector and the guidance along it: against values worked out by hand."""

import math

import pytest
import torch

from rave_mm.functional import residual_guidance_loss, residual_vector, target_along
from tests.functional.rows import unit_rows


class TestResidualVector:
    def test_by_hand(self) -> None:
        well_lit = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
        backlit = torch.tensor([[0.0, 0, 1]])
        vector, target = residual_vector(well_lit, backlit)
        wanted = torch.tensor([math.sqrt(0.5), math.sqrt(0.5), -1]) / math.sqrt(2)
        torch.testing.assert_close(vector, wanted)
        assert isinstance(target, float)
        assert target == pytest.approx(math.sqrt(0.5))

    def test_order_of_photographs_does_not_matter(self) -> None:
        well_lit, backlit = unit_rows(9, 6), unit_rows(4, 6)
        one = residual_vector(well_lit, backlit)
        other = residual_vector(well_lit.flip(0), backlit.flip(0))
        torch.testing.assert_close(one, other)

    def test_swapped_sets_give_the_opposite_vector(self) -> None:
        well_lit, backlit = unit_rows(9, 6), unit_rows(4, 6)
        forth, back = residual_vector(well_lit, backlit), residual_vector(backlit, well_lit)
        torch.testing.assert_close(forth[0], -back[0])
        assert forth[0].norm().item() == pytest.approx(1)

    def test_equal_means_have_no_direction(self) -> None:
        rows = unit_rows(5, 6)
        with pytest.raises(ValueError, match="equal, so there is no residual vector"):
            residual_vector(rows, rows.flip(0))

    def test_opposite_rows_have_no_mean(self) -> None:
        row = unit_rows(1, 6)
        with pytest.raises(ValueError, match="mean of the well_lit embeddings is zero"):
            residual_vector(torch.cat([row, -row]), unit_rows(3, 6))

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_not_finite_names_the_rows(self, bad: float) -> None:
        backlit = unit_rows(4, 6)
        backlit[2, 1] = bad
        with pytest.raises(ValueError, match=r"NaN or infinity in backlit at \[2\] \(1 of 4\)"):
            residual_vector(unit_rows(3, 6), backlit)

    def test_rows_must_be_normalised(self) -> None:
        with pytest.raises(ValueError, match="well_lit rows of length 3 to 3; expected unit"):
            residual_vector(3 * unit_rows(3, 6), unit_rows(3, 6))

    @pytest.mark.parametrize("shape", [(0, 6), (3, 5), (6,)])
    def test_wrong_shapes(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"got backlit of shape .* expected \(N, 6\)"):
            residual_vector(unit_rows(3, 6), torch.ones(shape))


class TestTargetAlong:
    def test_it_is_the_target_of_the_residual_vector(self) -> None:
        well_lit, backlit = unit_rows(5, 8), unit_rows(4, 8)
        vector, target = residual_vector(well_lit, backlit)
        assert target_along(vector, well_lit) == pytest.approx(target, abs=1e-6)

    def test_by_hand(self) -> None:
        # The mean (0.5, 0.5) is brought to length 1 first.
        assert target_along(torch.tensor([1.0, 0]), torch.eye(2)) == pytest.approx(math.sqrt(0.5))


class TestResidualGuidanceLoss:
    def test_by_hand(self) -> None:
        embeddings = torch.tensor([[1.0, 0], [0, 1]])
        loss = residual_guidance_loss(embeddings, torch.tensor([0.6, 0.8]), 0.1)
        assert loss.item() == pytest.approx((0.5**2 + 0.7**2) / 2)

    def test_averages_over_the_batch(self) -> None:
        embeddings, vector = unit_rows(3, 8), unit_rows(8)
        once = residual_guidance_loss(embeddings, vector, 0.3)
        twice = residual_guidance_loss(embeddings.repeat(2, 1), vector, 0.3)
        torch.testing.assert_close(once, twice)

    def test_zero_and_still_at_the_target(self) -> None:
        vector = unit_rows(8)
        embeddings = vector[None].clone().requires_grad_()
        loss = residual_guidance_loss(embeddings, vector, 1.0)
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-12)
        assert embeddings.grad.abs().max() < 1e-5

    def test_gradient_is_the_derivative(self) -> None:
        embeddings = unit_rows(3, 5).double().requires_grad_()
        vector = unit_rows(5).double()
        assert torch.autograd.gradcheck(
            lambda z: residual_guidance_loss(z, vector, 0.2), (embeddings,)
        )

    def test_nan_reaches_the_loss(self) -> None:
        embeddings = unit_rows(3, 5)
        embeddings[1, 2] = math.nan
        assert residual_guidance_loss(embeddings, unit_rows(5), 0.2).isnan()

    def test_autocast_does_not_lower_the_precision(self) -> None:
        embeddings, vector = unit_rows(64, 512), unit_rows(512)
        wanted = residual_guidance_loss(embeddings, vector, 0.2)
        with torch.autocast("cpu", torch.bfloat16):
            found = residual_guidance_loss(embeddings, vector, 0.2)
        assert torch.equal(found, wanted)

    @pytest.mark.parametrize("shape", [(1, 5), (4,)])
    def test_vector_of_another_clip(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"expected \(5,\).*same CLIP model"):
            residual_guidance_loss(unit_rows(3, 5), torch.ones(shape), 0.2)

    def test_empty_batch(self) -> None:
        with pytest.raises(ValueError, match=r"embeddings of shape \(0, 5\).*N above 0"):
            residual_guidance_loss(torch.empty(0, 5), unit_rows(5), 0.2)
