"""The light-map network of RAVE and CLIP-LIT."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rave_mm.networks.conv3x3 import Conv3x3, PaddingMode
from rave_mm.networks.grids import averaging_weights, bilinear_weights, from_grid, to_grid
from rave_mm.networks.init_cfg import InitCfg, InitCfgModule
from rave_mm.networks.published_checkpoints import adopt_published_keys, check_weights

Start = Literal["normal", "identity"]

_SLOPE = 0.2
_NORMAL_STD = 0.02
# Small enough that the light map starts within a few hundredths of 1, large enough that the
# layers below it get a gradient in the first step.
_IDENTITY_OUTPUT_STD = 3e-4
# Keeps each of the six residual blocks from doubling the features' variance. Without it a step of
# Adam moves the light map seven times as far, and at a rate of 5e-4 it fell to 0 and stayed there.
_IDENTITY_BRANCH_SCALE = 6**-0.5


class ResidualBlock(nn.Module):
    """``lrelu(x + conv2(lrelu(conv1(x))))``, without bias.

    Args:
        channels: Channels of input and output.
        padding_mode: ``"zeros"`` or ``"reflect"``.
    """

    def __init__(self, channels: int, padding_mode: PaddingMode = "reflect") -> None:
        super().__init__()
        self.conv1 = Conv3x3(channels, channels, padding_mode, bias=False)
        self.conv2 = Conv3x3(channels, channels, padding_mode, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) into the same shape."""
        # In place is safe: autograd reads a leaky ReLU's sign off its result, and a convolution
        # does not keep its own result.
        hidden = F.leaky_relu(self.conv1(x), _SLOPE, inplace=True)
        return F.leaky_relu(self.conv2(hidden).add_(x), _SLOPE, inplace=True)


@dataclass(frozen=True)
class Place:
    """Where a tile of features lies in those of a whole photograph.

    Attributes:
        top: First row of the tile.
        left: First column of the tile.
        height: Rows of the whole.
        width: Columns of the whole.
    """

    top: int
    left: int
    height: int
    width: int


class PyramidPooling(nn.Module):
    """Mix statistics of the whole image into the features of each pixel.

    :meth:`pool` reads the whole image and yields maps of at most 6x6; :meth:`fuse` is local but
    for those maps. They are apart so that a large photograph can be pooled in one tiled pass and
    fused in a second.

    Args:
        channels: Channels of the features.
        branch_channels: Channels that each bin size is reduced to.
        bins: Sides of the pooled maps.
    """

    def __init__(
        self, channels: int = 32, branch_channels: int = 8, bins: Sequence[int] = (1, 2, 3, 6)
    ) -> None:
        super().__init__()
        self.bins = tuple(bins)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, branch_channels, 1, bias=False), nn.PReLU())
            for _ in self.bins
        )
        fused_channels = channels + branch_channels * len(self.bins)
        self.fusion = nn.Sequential(
            Conv3x3(fused_channels, channels, "zeros", bias=False), nn.PReLU()
        )

    def pool(self, features: Tensor) -> list[Tensor]:
        """Average the features (N, C, H, W) over each grid: maps (N, C, b, b)."""
        height, width = features.shape[2:]
        rows, columns = (
            torch.cat([averaging_weights(side, size, device=features.device) for side in self.bins])
            for size in (height, width)
        )
        # All grids at once, so that the features are read once: those wanted are on the diagonal.
        means = to_grid(features, rows, columns)
        ends = itertools.accumulate(self.bins)
        return [
            means[..., end - side : end, end - side : end]
            for side, end in zip(self.bins, ends, strict=True)
        ]

    def fuse(
        self, features: Tensor, pooled: Sequence[Tensor], place: Place | None = None
    ) -> Tensor:
        """Spread pooled maps over the features and mix them.

        Args:
            features: (N, C, H, W).
            pooled: What :meth:`pool` gave of the whole photograph, one (N, C, b, b) for each bin.
            place: Where the features lie in the whole; None if they are the whole.

        Returns:
            (N, C, H, W).
        """
        spread = [
            _spread(branch(grid), features, place)
            for branch, grid in zip(self.branches, pooled, strict=True)
        ]
        return self.fusion(torch.cat([features, *spread], dim=1))

    def forward(self, features: Tensor) -> Tensor:
        """Pool and fuse (N, C, H, W)."""
        return self.fuse(features, self.pool(features))


def _spread(grid: Tensor, features: Tensor, place: Place | None) -> Tensor:
    """Upsample a pooled map to the whole photograph, and cut out the place of the features."""
    height, width = features.shape[2:]
    top, left, whole_height, whole_width = (
        (0, 0, height, width)
        if place is None
        else (place.top, place.left, place.height, place.width)
    )
    rows, columns = (
        bilinear_weights(grid.shape[2], size, start, start + count, grid.device)
        for size, start, count in ((whole_height, top, height), (whole_width, left, width))
    )
    return from_grid(grid, rows, columns).to(features.dtype)


class LightMapUNet(InitCfgModule):
    """Predicts the light map that a backlit photograph is divided by.

    The network of CLIP-LIT (arXiv 2303.17569) and RAVE (arXiv 2404.01889), 278,790 parameters.
    It keeps the full resolution throughout. The pyramid pooling aside, a pixel of the light map
    depends on 17 pixels each way. Divide by the light map with
    :func:`rave_mm.functional.apply_light_map`.

    Published checkpoints load as they are, see :mod:`rave_mm.networks.published_checkpoints`. A
    checkpoint without exactly this network's weights raises, also where MMEngine would only warn.

    Args:
        padding_mode: Padding of the four outer convolutions, ``"zeros"`` (published training) or
            ``"reflect"`` (published inference). The weights fit both.
        start: ``"normal"``: N(0, 0.02) weights in every convolution, as published; the light map
            starts near 0 and a reconstruction phase has to bring it to 1. The last bias is drawn
            as PyTorch does, but without its sign: where the published code draws it below zero,
            about every other time, the light map is 0 everywhere and cannot learn.
            ``"identity"``: Kaiming weights, residual branches scaled down, a small last layer
            with bias 1, so that the light map is about 1 at once.
        init_cfg: MMEngine's, for example ``dict(type="Pretrained", checkpoint=...)``.

    Raises:
        ValueError: If ``padding_mode`` or ``start`` is unknown.
    """

    def __init__(
        self,
        padding_mode: PaddingMode = "zeros",
        start: Start = "normal",
        init_cfg: InitCfg | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, value, known in (
            ("padding_mode", padding_mode, get_args(PaddingMode)),
            ("start", start, get_args(Start)),
        ):
            if value not in known:
                raise ValueError(f"got {name}={value!r}; expected one of {known}")
        self.start = start
        self.conv_in = Conv3x3(3, 32, padding_mode)
        self.shallow = nn.Sequential(ResidualBlock(32), ResidualBlock(32))
        self.pyramid = PyramidPooling()
        self.conv_widen = Conv3x3(32, 64, padding_mode)
        self.deep = nn.Sequential(ResidualBlock(64), ResidualBlock(64))
        self.conv_narrow = Conv3x3(64, 32, padding_mode)
        self.final = nn.Sequential(ResidualBlock(32), ResidualBlock(32))
        self.conv_out = Conv3x3(32, 1, padding_mode)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw new weights as ``start`` says, from PyTorch's global random numbers."""
        for module in self.modules():
            if isinstance(module, nn.PReLU):
                module.reset_parameters()
            elif isinstance(module, nn.Conv2d):
                module.reset_parameters()
                if self.start == "normal":
                    nn.init.normal_(module.weight, std=_NORMAL_STD)
                else:
                    nn.init.kaiming_normal_(module.weight, a=_SLOPE)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
        assert self.conv_out.bias is not None
        if self.start == "normal":
            self.conv_out.bias.abs_()
            return
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.conv2.weight.mul_(_IDENTITY_BRANCH_SCALE)
        nn.init.normal_(self.conv_out.weight, std=_IDENTITY_OUTPUT_STD)
        nn.init.ones_(self.conv_out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Predict the light map.

        Args:
            x: RGB photographs in [0, 1], (N, 3, H, W), any size from 1x1.

        Returns:
            Light map (N, 1, H, W), zero or more.

        Raises:
            ValueError: If ``x`` has another shape or is not of floating point.
        """
        features = self.features(x)
        return self.light_map(features, self.pyramid.pool(features))

    def features(self, x: Tensor) -> Tensor:
        """First half of :meth:`forward`: features (N, 32, H, W) for :attr:`pyramid` to pool."""
        if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape or not x.is_floating_point():
            raise ValueError(
                f"got {x.dtype} of shape {tuple(x.shape)}; expected floating-point RGB in [0, 1] "
                "of shape (N, 3, H, W), not empty"
            )
        # oneDNN and cuDNN then work without reordering: a quarter off a step on a CPU, half
        # off one on a GPU.
        x = x.contiguous(memory_format=torch.channels_last)
        return self.shallow(F.leaky_relu(self.conv_in(x), _SLOPE, inplace=True))

    def light_map(
        self, features: Tensor, pooled: Sequence[Tensor], place: Place | None = None
    ) -> Tensor:
        """Second half of :meth:`forward`: from features, and what was pooled from the whole.

        Args:
            features: What :meth:`features` gave, (N, 32, H, W), of a whole photograph or a tile.
            pooled: What :attr:`pyramid` pooled from the whole photograph's features.
            place: Where a tile lies in the whole; None if the features are the whole.

        Returns:
            Light map (N, 1, H, W). See :mod:`rave_mm.inference.tiling` for a tile's border.
        """
        x = self.conv_widen(self.pyramid.fuse(features, pooled, place))
        x = self.conv_narrow(self.deep(x))
        return F.relu(self.conv_out(self.final(x)), inplace=True)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        adopt_published_keys(state_dict, prefix, child="")
        check_weights(state_dict, self, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
