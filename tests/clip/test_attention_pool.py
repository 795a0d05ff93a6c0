"""The first token's answer, with fewer products than open_clip's."""

import pytest
import torch
from open_clip.modified_resnet import AttentionPool2d
from torch.utils.flop_counter import FlopCounterMode

from rave_mm.clip.attention_pool import attention_pool


@pytest.mark.parametrize(("side", "photos"), [(1, 2), (3, 1), (4, 3)])
def test_the_same_answer_and_gradients(side: int, photos: int) -> None:
    pool = AttentionPool2d(side, embed_dim=32, num_heads=4, output_dim=16).double()
    for projection in (pool.q_proj, pool.k_proj, pool.v_proj):
        torch.nn.init.normal_(projection.bias)
    features = torch.randn(photos, 32, side, side, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(photos, 16, dtype=torch.float64)
    learned = [features, *(p for name, p in pool.named_parameters() if name != "k_proj.bias")]
    found = []
    for answer in (pool(features), attention_pool(pool, features)):
        found.append((answer, *torch.autograd.grad((answer * weights).sum(), learned)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)


def test_products_are_per_photo_and_not_per_token() -> None:
    pool = AttentionPool2d(7, embed_dim=64, num_heads=4)
    features = torch.randn(2, 64, 7, 7)
    counted = []
    for function in (pool, lambda x: attention_pool(pool, x)):
        with FlopCounterMode(display=False) as counter:
            function(features)
        counted.append(counter.get_total_flops())
    assert counted[1] < counted[0] / 10
