"""The attention at the end of a ModifiedResNet, without what open_clip computes in vain."""

import torch
from open_clip.modified_resnet import AttentionPool2d
from torch import Tensor


def attention_pool(pool: AttentionPool2d, features: Tensor) -> Tensor:
    """What `pool(features)` gives, with a small part of its products.

    Only the first token's answer is wanted, `W_v (sum_t a_t x_t) + b_v` for each head, where
    `a = softmax_t (W_k^T q) . x_t`. So the query is multiplied by the keys' weights, and the
    average by the values', instead of each token by both. The keys' bias adds the same to all
    that a softmax compares, which changes nothing.

    Shape:
        features (N, C, H, W); returns (N, D).
    """
    heads, width = pool.num_heads, features.shape[1]
    tokens = features.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1)
    tokens = tokens + pool.positional_embedding.to(tokens.dtype)
    keys = pool.k_proj.weight.unflatten(0, (heads, -1))  # (heads, C / heads, C)
    values = pool.v_proj.weight.unflatten(0, (heads, -1))
    query = pool.q_proj(tokens[:, 0]).unflatten(-1, (heads, -1))
    query = (query.transpose(0, 1) @ keys).transpose(0, 1)  # (N, heads, C)
    scale = (width / heads) ** -0.5
    attention = (scale * query @ tokens.transpose(1, 2)).softmax(-1)
    mixed = ((attention @ tokens).transpose(0, 1) @ values.transpose(1, 2)).transpose(0, 1)
    return pool.c_proj(mixed.flatten(1) + pool.v_proj.bias)
