"""The published step is another way to the same loss."""

import pytest
import torch

from rave_mm.benchmark.published_step import PlainTower, published_light_map, published_loss
from rave_mm.clip.bundled import BUNDLED
from rave_mm.clip.encoder import load_clip
from rave_mm.functional import apply_light_map, identity_loss, residual_guidance_loss
from rave_mm.networks.light_map_unet import LightMapUNet

LAYERS = (1.0, 1.0, 1.0, 1.0, 0.5)


@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_the_same_light_map(padding) -> None:
    network = LightMapUNet(padding, start="identity")
    photos = torch.rand(2, 3, 20, 31)
    torch.testing.assert_close(published_light_map(network, photos), network(photos))


def test_the_same_loss_and_gradients() -> None:
    network, clip, photos = LightMapUNet(start="identity"), load_clip(), torch.rand(3, 3, 40, 40)
    vector = torch.nn.functional.normalize(torch.randn(clip.dimension), dim=0)
    enhanced = apply_light_map(photos, network(photos))
    ours = 7.0 * residual_guidance_loss(clip.embed(enhanced), vector, 0.2)
    maps = clip.feature_maps(enhanced), clip.feature_maps(photos)
    ours = ours + 3.0 * identity_loss(*maps, LAYERS)
    plain = PlainTower.of(BUNDLED, None, torch.device("cpu"))
    theirs = published_loss(network, photos, plain, (vector, 0.2, 7.0), plain, (LAYERS, 3.0))
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=0)
    weights = list(network.parameters())
    one, other = (
        torch.cat([part.flatten() for part in torch.autograd.grad(loss, weights)])
        for loss in (theirs, ours)
    )
    # CLIP's rectifiers turn where a sum is rounded otherwise.
    assert (one - other).norm() <= 1e-3 * other.norm()
