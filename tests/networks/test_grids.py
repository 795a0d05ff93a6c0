"""Pooling and upsampling as products of matrices."""

import pytest
import torch
import torch.nn.functional as F

from rave_mm.networks.grids import averaging_weights, bilinear_weights, from_grid, to_grid

SIZES = ((1, 1), (1, 9), (5, 7), (64, 33))


@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("cells", (1, 2, 3, 6))
class TestAgainstPyTorch:
    def test_to_grid_is_adaptive_average_pooling(self, height: int, width: int, cells: int) -> None:
        x = torch.rand(2, 3, height, width, dtype=torch.float64)
        found = to_grid(x, averaging_weights(cells, height), averaging_weights(cells, width))
        torch.testing.assert_close(found, F.adaptive_avg_pool2d(x, cells))

    def test_from_grid_is_bilinear_upsampling(self, height: int, width: int, cells: int) -> None:
        grid = torch.rand(2, 3, cells, cells, dtype=torch.float64)
        found = from_grid(grid, bilinear_weights(cells, height), bilinear_weights(cells, width))
        wanted = F.interpolate(grid, (height, width), mode="bilinear", align_corners=True)
        torch.testing.assert_close(found, wanted)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_gradients() -> None:
    x = torch.rand(1, 2, 5, 7, dtype=torch.float64, requires_grad=True)
    down = averaging_weights(2, 5), averaging_weights(3, 7)
    up = bilinear_weights(2, 5), bilinear_weights(3, 7)
    assert torch.autograd.gradcheck(lambda x: from_grid(to_grid(x, *down), *up), (x,))


def test_windows_are_cut_from_the_whole() -> None:
    assert torch.equal(averaging_weights(3, 10, 2, 6), averaging_weights(3, 10)[:, 2:6])
    assert torch.equal(bilinear_weights(3, 10, 2, 6), bilinear_weights(3, 10)[2:6])


def test_sums_in_float32_under_autocast() -> None:
    x = torch.full((1, 1, 300, 300), 1.0, dtype=torch.bfloat16)
    x[..., 0, 0] = 100
    weights = averaging_weights(1, 300)
    with torch.autocast("cpu", torch.bfloat16):
        found = to_grid(x, weights, weights)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.item(), 1 + 99 / 90000, rtol=1e-6, atol=0)
