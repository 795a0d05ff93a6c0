"""A light-map network that sees a photograph small and is applied to it at full size."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rave_mm.functional.checks import at_least_float32
from rave_mm.networks.init_cfg import InitCfg, InitCfgModule
from rave_mm.networks.light_map_unet import ResidualBlock
from rave_mm.networks.published_checkpoints import (
    UnknownCheckpointError,
    adopt_published_keys,
    check_weights,
)

LOWEST, HIGHEST = -4.0, 0.1
"""Of the logarithm of the light map.

A pixel becomes 55 times as bright at most, and a tenth darker at most: CLIPs take a backlit photo
for a better one when its bright parts are dimmed, and would have them dimmed without end.
"""

_SLOPE = 0.2
# About those of photographs: in [0, 1] as they are, the first hundreds of steps learn little.
_MEAN, _SPREAD = 0.35, 1 / 3
# Keeps the residual blocks from doubling the features' variance, one after another.
_BRANCH_SCALE = 0.4


class SmallViewLightMapNet(InitCfgModule):
    """Predicts the light map of a photograph of any size from a small view of it.

    Like HDRNet (Gharbi et al. 2017, arXiv 1707.02880) and DeepUPE (Wang et al. 2019) it sees the
    photograph reduced, and predicts not the light map but what makes it at full size: around each
    of a few points a line from the brightness ``g`` of a full-size pixel (the mean of red, green
    and blue) to the logarithm of the light map, ``log M = a g + b``. ``a`` and ``b`` are enlarged
    bilinearly, so the light map has the edges of the full-size photograph, and the network is
    trained through all of that.

    It is a U-Net with strides: two of them at once, then one between each two levels, so that its
    lines stand four pixels of the view apart. At the bottom the mean over the whole view is added,
    by which each point knows how bright the photograph is. It starts as the identity: the light map
    is 1 everywhere.

    Divide by the light map with :func:`rave_mm.functional.apply_light_map`. Very large photographs
    are enhanced without ever holding their light map: :mod:`rave_mm.inference.small_view`.

    Args:
        side: The longest side of the view, in pixels. Smaller photographs are seen as they are.
        widths: Channels of each level, from the finest to the coarsest.
        init_cfg: MMEngine's, for example ``dict(type="Pretrained", checkpoint=...)``.

    Raises:
        ValueError: A side below 1, fewer than two widths, or one below 1.
    """

    def __init__(
        self,
        side: int = 160,
        widths: Sequence[int] = (32, 48, 64, 96, 128),
        init_cfg: InitCfg | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if side < 1 or len(widths) < 2 or min(widths) < 1:
            raise ValueError(
                f"got side={side}, widths={tuple(widths)}; expected a side of 1 or more, and two "
                "widths or more, of 1 or more"
            )
        self.side = side
        # So that a checkpoint tells how its network is to look.
        self.view_side: Tensor
        self.register_buffer("view_side", torch.tensor(side))
        levels = list(zip(widths[:-1], widths[1:], strict=True))
        self.stem = nn.Sequential(_halving(3, widths[0]), _halving(widths[0], widths[0]))
        self.before = nn.ModuleList(ResidualBlock(fine, "zeros") for fine, _ in levels)
        self.down = nn.ModuleList(_halving(fine, coarse) for fine, coarse in levels)
        self.bottom = ResidualBlock(widths[-1], "zeros")
        self.whole_view = nn.Linear(widths[-1], widths[-1])
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in levels)
        self.after = nn.ModuleList(ResidualBlock(fine, "zeros") for fine, _ in levels)
        self.out = nn.Conv2d(widths[0], 2, 3, padding=1)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw new weights, from PyTorch's global random numbers; the light map is 1 at once."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.conv2.weight.mul_(_BRANCH_SCALE)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Predict the light map.

        Args:
            x: RGB photographs in [0, 1], (N, 3, H, W), any size from 1x1.

        Returns:
            Light map (N, 1, H, W), from ``exp(LOWEST)`` to ``exp(HIGHEST)``.

        Raises:
            ValueError: If ``x`` has another shape or is not of floating point.
        """
        if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape or not x.is_floating_point():
            raise ValueError(
                f"got {x.dtype} of shape {tuple(x.shape)}; expected floating-point RGB in [0, 1] "
                "of shape (N, 3, H, W), not empty"
            )
        # In float32: of an exponent of 16 bits not enough is left.
        lines = at_least_float32(self.lines(self.view(x)))
        slopes, offsets = F.interpolate(lines, x.shape[2:], mode="bilinear").chunk(2, 1)
        brightness = x.mean(1, keepdim=True)
        exponent: Tensor = _ClampThatLeadsBack.apply(slopes * brightness + offsets)
        return exponent.exp()

    def view(self, x: Tensor) -> Tensor:
        """Photographs (N, 3, H, W) reduced to at most `side` pixels."""
        height, width = (int(side) for side in x.shape[2:])  # tensors where PyTorch traces
        scale = self.side / max(height, width)
        if scale >= 1:
            return x
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        return F.interpolate(x, size, mode="bilinear", antialias=True)

    def lines(self, view: Tensor) -> Tensor:
        """Predict the lines.

        Args:
            view: RGB in [0, 1], (N, 3, H, W), any size from 1x1; meant to be of about `side`
                pixels.

        Returns:
            Slopes ``a`` and offsets ``b``, (N, 2, h, w), with h and w a quarter of H and W,
            rounded up. Point (i, j) stands at the middle of its share of the photograph.
        """
        if view.device.type == "cpu":
            view = view.contiguous(memory_format=torch.channels_last)
        features, skipped = self.stem((view - _MEAN) / _SPREAD), []
        for block, halve in zip(self.before, self.down, strict=True):
            skipped.append(block(features))
            features = halve(skipped[-1])
        features = self.bottom(features)
        whole = F.leaky_relu(self.whole_view(features.mean((2, 3))), _SLOPE)
        features = features + whole[..., None, None]
        for widen, block in zip(reversed(self.up), reversed(self.after), strict=True):
            skip = skipped.pop()
            features = F.interpolate(features, skip.shape[2:], mode="bilinear")
            features = block(F.leaky_relu(widen(features) + skip, _SLOPE))
        # A level for the brightness that a point has in the view, and a slope for what differs from
        # it: a slope through 0 would have to be right before the level could be.
        slopes, levels = self.out(features).chunk(2, 1)
        brightness = F.avg_pool2d(
            view.mean(1, keepdim=True), 4, ceil_mode=True, count_include_pad=False
        )
        return torch.cat([slopes, levels - slopes * brightness], 1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        adopt_published_keys(state_dict, prefix, child="")
        state_dict[prefix + "view_side"] = self.view_side  # as this network was built
        check_weights(state_dict, self, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    @classmethod
    def of_weights(cls, weights: Mapping[str, Tensor]) -> "SmallViewLightMapNet":
        """Build the network that a state dict is of, with its weights.

        Raises:
            UnknownCheckpointError: It is of none.
        """
        coarse = [name for name in weights if re.fullmatch(r"down\.\d+\.0\.weight", name)]
        names = ["stem.0.0.weight", *sorted(coarse)]
        side = weights.get("view_side")
        if side is None or not len(coarse) or names[0] not in weights:
            raise UnknownCheckpointError(
                "the checkpoint holds no whole SmallViewLightMapNet: expected its view_side, "
                "stem.0.0.weight and down.0.0.weight among others"
            )
        network = cls(int(side), [weights[name].shape[0] for name in names])
        network.load_state_dict(dict(weights))
        return network


class _ClampThatLeadsBack(torch.autograd.Function):
    """Clamp to the limits, with a gradient outside of them where it leads back inside.

    A plain clamp has none there: a network that once took too large a step would stay all white.
    """

    @staticmethod
    def forward(ctx: Any, exponent: Tensor) -> Tensor:
        ctx.save_for_backward(exponent)
        return exponent.clamp(LOWEST, HIGHEST)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (exponent,) = ctx.saved_tensors
        further = ((exponent < LOWEST) & (gradient > 0)) | ((exponent > HIGHEST) & (gradient < 0))
        return gradient.masked_fill(further, 0)


def _halving(in_channels: int, out_channels: int) -> nn.Sequential:
    """A convolution with a stride of two; a side of an odd number of pixels is rounded up."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), nn.LeakyReLU(_SLOPE)
    )
