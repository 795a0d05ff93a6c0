"""RAVE's guided training step as the published code takes it, written anew from what it computes.

This project's step is compared with what it costs. It has the published order of work: plain
convolutions in PyTorch's usual layout, each activation in memory of its own, and CLIP asked about
one photograph after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn

from rave_mm.clip.weights import build_clip
from rave_mm.networks.light_map_unet import LightMapUNet, ResidualBlock

_EPS = 1e-9
_SLOPE = 0.2


@dataclass(frozen=True)
class PlainTower:
    """A CLIP's image tower as open_clip builds it, without what makes it faster here.

    Attributes:
        visual: The tower, in eval mode.
        size: Side of its input, in pixels.
        mean: Of the input's channels (3, 1, 1).
        std: Likewise.
    """

    visual: nn.Module
    size: int
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, model: str, pretrained: str | None, device: torch.device) -> "PlainTower":
        """The tower of a CLIP, named as :class:`rave_mm.clip.encoder.FrozenCLIP` names it."""
        clip, photo = build_clip(model, pretrained)
        size = photo.size if isinstance(photo.size, int) else photo.size[0]
        mean, std = (
            torch.tensor(values).view(3, 1, 1).to(device) for values in (photo.mean, photo.std)
        )
        return cls(clip.visual.eval().requires_grad_(False).to(device), size, mean, std)


def published_light_map(network: LightMapUNet, photos: Tensor) -> Tensor:
    """What the network gives, layer by layer: (N, 3, H, W) to (N, 1, H, W)."""
    x = _lrelu(_convolved(network.conv_in, photos))
    x = _blocks(network.shallow, x)
    pyramid, size = network.pyramid, x.shape[2:]
    spread = [
        F.interpolate(branch(F.adaptive_avg_pool2d(x, side)), size, None, "bilinear", True)
        for side, branch in zip(pyramid.bins, pyramid.branches, strict=True)
    ]
    x = pyramid.fusion(torch.cat([x, *spread], 1))
    x = _blocks(network.deep, _convolved(network.conv_widen, x))
    x = _blocks(network.final, _convolved(network.conv_narrow, x))
    return F.relu(_convolved(network.conv_out, x))


def published_loss(
    network: LightMapUNet,
    photos: Tensor,
    guide: PlainTower,
    guidance: tuple[Tensor, float, float],
    keeper: PlainTower,
    identity: tuple[Sequence[float], float],
) -> Tensor:
    """The loss of RAVE's guided phase.

    Args:
        network: That is trained.
        photos: Backlit ones (N, 3, H, W), RGB in [0, 1].
        guide: CLIP's image tower for the guidance.
        guidance: Residual vector (D,), its target, and the weight.
        keeper: That of the identity loss, a ModifiedResNet.
        identity: Weights of its five feature maps, and the weight of all.

    Returns:
        The weighted sum, a scalar.
    """
    light_map = published_light_map(network, photos)
    enhanced = torch.clamp(photos / (light_map + _EPS), 0, 1)
    vector, target, guidance_weight = guidance
    layer_weights, identity_weight = identity
    distance = apart = photos.new_zeros(())
    for result, photo in zip(enhanced, photos, strict=True):
        embedding = F.normalize(guide.visual(_prepared(guide, result)), dim=-1)[0]
        distance = distance + (embedding @ vector - target) ** 2
        maps, expected = (_feature_maps(keeper, picture) for picture in (result, photo))
        for weight, found, wanted in zip(layer_weights, maps, expected, strict=True):
            apart = apart + weight * F.mse_loss(found, wanted)
    return guidance_weight * distance / len(photos) + identity_weight * apart


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE)


def _convolved(layer: nn.Conv2d, x: Tensor) -> Tensor:
    if layer.padding_mode == "zeros":
        return F.conv2d(x, layer.weight, layer.bias, padding=1)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), layer.weight, layer.bias)


def _blocks(blocks: nn.Sequential, x: Tensor) -> Tensor:
    for block in blocks:
        assert isinstance(block, ResidualBlock)
        x = _lrelu(_convolved(block.conv2, _lrelu(_convolved(block.conv1, x))) + x)
    return x


def _prepared(clip: PlainTower, photo: Tensor) -> Tensor:
    size = (clip.size, clip.size)
    small = F.interpolate(photo[None], size, mode="bilinear", align_corners=False)
    return (small - clip.mean) / clip.std


def _feature_maps(clip: PlainTower, photo: Tensor) -> list[Tensor]:
    tower = clip.visual
    assert isinstance(tower, ModifiedResNet)
    x, maps = _prepared(clip, photo), []
    for stage in (tower.stem, tower.layer1, tower.layer2, tower.layer3, tower.layer4):
        x = stage(x)
        maps.append(x)
    return maps
