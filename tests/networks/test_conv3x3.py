"""The 3x3 convolution that keeps the size."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rave_mm.networks.conv3x3 import Conv3x3, reflect_border


class TestConv3x3:
    def test_reflects_as_pytorch_does(self) -> None:
        conv = Conv3x3(2, 3, "reflect")
        plain = nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")
        plain.load_state_dict(conv.state_dict())
        x = torch.rand(1, 2, 5, 6)
        torch.testing.assert_close(conv(x), plain(x))

    def test_repeats_a_single_pixel(self) -> None:
        conv = Conv3x3(2, 3, "reflect")
        pixel = torch.rand(1, 2, 1, 1)
        torch.testing.assert_close(conv(pixel), conv(pixel.expand(1, 2, 3, 3))[..., 1:2, 1:2])

    def test_one_row_is_as_three_equal_rows(self) -> None:
        conv = Conv3x3(2, 3, "reflect")
        row = torch.rand(1, 2, 1, 6)
        torch.testing.assert_close(conv(row), conv(row.expand(1, 2, 3, 6))[..., 1:2, :])


@pytest.mark.parametrize("height, width", ((2, 2), (2, 5), (6, 3)))
class TestReflectBorder:
    def test_is_pytorchs_padding(self, height: int, width: int) -> None:
        x = torch.rand(2, 3, height, width)
        found = reflect_border(x)
        assert torch.equal(found, F.pad(x, (1, 1, 1, 1), mode="reflect"))
        assert found.is_contiguous(memory_format=torch.channels_last)

    def test_gradient(self, height: int, width: int) -> None:
        x = torch.rand(1, 2, height, width, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(reflect_border, (x,))
