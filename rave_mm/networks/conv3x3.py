"""The convolution that the paper's network is made of."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PaddingMode = Literal["zeros", "reflect"]


class Conv3x3(nn.Conv2d):
    """3x3 convolution that keeps the size, for images down to 1x1.

    ``nn.Conv2d`` cannot reflect along a side of one pixel. There the pixel is repeated, which is
    what reflecting it about itself gives.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        padding_mode: ``"zeros"`` or ``"reflect"``.
        bias: Whether to add a bias.
    """

    def __init__(
        self, in_channels: int, out_channels: int, padding_mode: PaddingMode, bias: bool = True
    ) -> None:
        super().__init__(
            in_channels, out_channels, 3, padding=1, padding_mode=padding_mode, bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W), of any size from 1x1."""
        if self.padding_mode == "zeros":
            return super().forward(x)
        height, width = x.shape[2:]
        if height > 1 and width > 1:
            x = reflect_border(x) if x.is_cuda else F.pad(x, (1, 1, 1, 1), mode="reflect")
        else:
            x = F.pad(x, (1, 1, 0, 0), mode="reflect" if width > 1 else "replicate")
            x = F.pad(x, (0, 0, 1, 1), mode="reflect" if height > 1 else "replicate")
        return F.conv2d(x, self.weight, self.bias)


def reflect_border(x: Tensor) -> Tensor:
    """``F.pad(x, (1, 1, 1, 1), mode="reflect")`` that keeps channels-last memory, also on a GPU.

    There PyTorch's own copies to the other layout and back, in both directions: as much time as
    all the forward convolutions take.

    Args:
        x: (N, C, H, W), height and width 2 or more.

    Returns:
        (N, C, H + 2, W + 2), in channels-last memory.
    """
    padded: Tensor = _ReflectBorder.apply(x)
    return padded


class _ReflectBorder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        number, channels, height, width = x.shape
        padded = torch.empty(
            (number, channels, height + 2, width + 2),
            dtype=x.dtype,
            device=x.device,
            memory_format=torch.channels_last,
        )
        padded[..., 1:-1, 1:-1] = x
        padded[..., 0, 1:-1], padded[..., -1, 1:-1] = x[..., 1, :], x[..., -2, :]
        padded[..., 0], padded[..., -1] = padded[..., 2], padded[..., -3]
        return padded

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        inner = gradient[..., 1:-1, 1:-1].clone(memory_format=torch.channels_last)
        rows, columns = gradient[..., 1:-1], gradient[..., 1:-1, :]
        for border, reflected in ((0, 1), (-1, -2)):
            inner[..., reflected, :] += rows[..., border, :]
            inner[..., reflected] += columns[..., border]
            for side, across in ((0, 1), (-1, -2)):
                inner[..., reflected, across] += gradient[..., border, side]
        return inner
