"""The identity loss: against values worked out by hand."""

import pytest
import torch

from rave_mm.functional import identity_loss


class TestIdentityLoss:
    def test_by_hand_sums_over_the_batch(self) -> None:
        zeros = [torch.zeros(2, 1, 2, 2), torch.zeros(2, 3, 1, 1)]
        found = [torch.ones(2, 1, 2, 2), torch.full((2, 3, 1, 1), 2.0)]
        assert identity_loss(found, zeros, (1, 0.5)).item() == pytest.approx(2 * (1 + 0.5 * 4))

    def test_twice_the_batch_is_twice_the_loss(self) -> None:
        found, wanted = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
        once = identity_loss([found], [wanted], [1])
        twice = identity_loss([found.repeat(2, 1, 1, 1)], [wanted.repeat(2, 1, 1, 1)], [1])
        torch.testing.assert_close(twice, 2 * once)

    def test_half_precision_is_summed_in_float32(self) -> None:
        found = torch.full((1, 64, 64, 64), 2.0, dtype=torch.float16)
        assert identity_loss([found], [torch.zeros_like(found)], [1]).item() == 4

    def test_counts_differ(self) -> None:
        maps = [torch.rand(1, 2, 3, 3)] * 2
        with pytest.raises(ValueError, match="2 feature maps, 2 reference .* 1 layer weights"):
            identity_loss(maps, maps, [1])

    def test_nothing_to_compare(self) -> None:
        with pytest.raises(ValueError, match="the same number of each, not 0"):
            identity_loss([], [], [])

    @pytest.mark.parametrize("shape", [(2, 2, 3, 3), (1, 2, 3, 4)])
    def test_shapes_differ(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="in layer 0; expected two equal shapes"):
            identity_loss([torch.rand(1, 2, 3, 3)], [torch.rand(shape)], [1])
