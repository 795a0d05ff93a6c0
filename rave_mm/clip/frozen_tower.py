"""An image tower that never learns, made faster: the same function in other steps."""

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import AttentionPool2d, Bottleneck, ModifiedResNet
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_BATCH_NORMS = {"conv1": "bn1", "conv2": "bn2", "conv3": "bn3"}


def speed_up(tower: nn.Module) -> None:
    """Change a tower in place; what it says changes by rounding alone.

    In a ModifiedResNet batch norm becomes part of the convolution before it, and only the first
    token asks at the end. In a vision transformer the queries, keys and values of all tokens are
    one product of matrices, where PyTorch's own attention makes one product for each token. Other
    towers stay as they are.

    Args:
        tower: in eval mode, without gradients for its weights.
    """
    for module in list(tower.modules()):
        if isinstance(module, ModifiedResNet | Bottleneck):
            for convolution, norm in _BATCH_NORMS.items():
                _fold(module, convolution, norm)
        if isinstance(module, Bottleneck) and module.downsample is not None:
            _fold(module.downsample, "0", "1")
        if isinstance(module, ModifiedResNet) and isinstance(module.attnpool, AttentionPool2d):
            module.attnpool = _FirstTokenPool(module.attnpool)
        if isinstance(module, ResidualAttentionBlock) and _is_plain(module.attn):
            module.attn = _PackedSelfAttention(module.attn)
    tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _fold(parent: nn.Module, convolution: str, norm: str) -> None:
    folded = fuse_conv_bn_eval(getattr(parent, convolution), getattr(parent, norm))
    setattr(parent, convolution, folded.requires_grad_(False))
    setattr(parent, norm, nn.Identity())


def _is_plain(attention: nn.Module) -> bool:
    return (
        isinstance(attention, nn.MultiheadAttention)
        and attention.batch_first
        and attention.in_proj_weight is not None
        and attention.bias_k is None
        and not attention.add_zero_attn
        and not attention.dropout
    )


class _PackedSelfAttention(nn.Module):
    """What `nn.MultiheadAttention` gives for a sequence that attends to itself."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads = attention.num_heads
        self.in_proj_weight = attention.in_proj_weight
        self.in_proj_bias = attention.in_proj_bias
        self.out_proj = attention.out_proj

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Attend: (N, L, D) to (N, L, D)."""
        if key is not query or value is not query or need_weights:
            raise NotImplementedError("a tower's blocks attend to their own input, without weights")
        packed = F.linear(query, self.in_proj_weight, self.in_proj_bias)
        q, k, v = packed.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), None


class _FirstTokenPool(nn.Module):
    """What open_clip's `AttentionPool2d` gives, whose other tokens' answers are thrown away."""

    def __init__(self, pool: AttentionPool2d) -> None:
        super().__init__()
        self.positional_embedding = pool.positional_embedding
        self.q_proj, self.k_proj, self.v_proj = pool.q_proj, pool.k_proj, pool.v_proj
        self.c_proj = pool.c_proj
        self.heads = pool.num_heads

    def forward(self, x: Tensor) -> Tensor:
        """Pool (N, C, H, W) to (N, D)."""
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1)
        tokens = tokens + self.positional_embedding.to(tokens.dtype)
        q, k, v = (
            projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projected in (
                self.q_proj(tokens[:, :1]),
                self.k_proj(tokens),
                self.v_proj(tokens),
            )
        )
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))[:, 0]
