"""A tower says the same before and after it is made faster."""

import copy

import pytest
import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from torch import nn

from rave_mm.clip.frozen_tower import speed_up


def resnet() -> nn.Module:
    tower = ModifiedResNet([1, 2, 1, 1], output_dim=16, heads=4, image_size=64, width=8)
    for norm in tower.modules():
        if isinstance(norm, nn.BatchNorm2d):  # as if it had learned
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.normal_(0, 0.3)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.2)
    return tower


def transformer() -> nn.Module:
    return VisionTransformer(
        image_size=64, patch_size=16, width=32, layers=2, heads=4, mlp_ratio=2, output_dim=16
    )


@pytest.mark.parametrize("build", [resnet, transformer])
def test_the_same_embeddings_and_gradients(build) -> None:
    tower = build().double().eval().requires_grad_(False)
    fast = copy.deepcopy(tower)
    speed_up(fast)
    pictures = torch.rand(3, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(3, 16, dtype=torch.float64)
    found = []
    for each in (tower, fast):
        embeddings = each(pictures)
        (gradient,) = torch.autograd.grad((embeddings * weights).sum(), pictures)
        found.append((embeddings, gradient))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)
    assert not any(parameter.requires_grad for parameter in fast.parameters())


def test_nothing_is_left_of_batch_norm() -> None:
    tower = resnet().eval()
    speed_up(tower)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in tower.modules())


def test_queries_keys_and_values_are_one_product() -> None:
    """PyTorch's own attention makes one for each of the 17 tokens."""
    tower = transformer().eval().requires_grad_(False)
    speed_up(tower)
    pictures = torch.rand(2, 3, 64, 64, requires_grad=True)
    with torch.profiler.profile(record_shapes=True) as profiled:
        tower(pictures)
    batches = [event.input_shapes[0][0] for event in profiled.events() if event.name == "aten::bmm"]
    assert 17 not in batches


def test_another_attention_is_left_alone() -> None:
    tower = transformer()
    block = tower.transformer.resblocks[0]
    block.attn = nn.MultiheadAttention(32, 4, batch_first=True, dropout=0.1)
    speed_up(tower)
    assert isinstance(block.attn, nn.MultiheadAttention)
    packed = tower.transformer.resblocks[1].attn
    one, other = torch.rand(2, 1, 5, 32).unbind(0)
    with pytest.raises(NotImplementedError, match="attend to their own input"):
        packed(one, other, other)
