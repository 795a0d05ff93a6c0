"""The equations against the published code's values."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CLIP
from torch import Tensor

from rave_mm.functional import (
    clip_enhance_loss,
    clip_input,
    identity_loss,
    prompt_initialisation_loss,
    prompt_ranking_loss,
    prompt_score,
    residual_guidance_loss,
)

Reference = dict[str, Tensor]


@pytest.fixture(scope="module")
def published(reference_losses: dict[str, np.ndarray]) -> Reference:
    return {name: torch.from_numpy(value) for name, value in reference_losses.items()}


def assert_agrees(found: Tensor, wanted: Tensor, tolerance: float = 1e-5) -> None:
    """Relative to the wanted tensor's norm, and each value relative to its largest."""
    assert found.shape == wanted.shape
    difference = found.detach().double() - wanted
    assert difference.norm() <= tolerance * wanted.norm()
    assert difference.abs().max() <= tolerance * wanted.abs().max()


def encode(clip: CLIP, images: Tensor) -> Tensor:
    inputs = clip_input(images, 224, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    return F.normalize(clip.encode_image(inputs), dim=1)


def feature_maps(clip: CLIP, images: Tensor) -> list[Tensor]:
    maps = [clip.visual.stem(clip_input(images, 224, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))]
    for stage in (clip.visual.layer1, clip.visual.layer2, clip.visual.layer3, clip.visual.layer4):
        maps.append(stage(maps[-1]))
    return maps


def encode_prompts(clip: CLIP, tokens: Tensor, end: int) -> Tensor:
    hidden = clip.transformer(tokens + clip.positional_embedding, attn_mask=clip.attn_mask)
    return clip.ln_final(hidden)[:, end] @ clip.text_projection


def six_embeddings(published: Reference) -> tuple[Tensor, Tensor]:
    embeddings = torch.cat([published["z_backlit"], published["z_well_lit"]])
    return embeddings, torch.tensor([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("name", ["backlit", "enhanced", "well_lit"])
def test_embeddings(name: str, published: Reference, tiny_vit: CLIP) -> None:
    assert_agrees(encode(tiny_vit, published[name]), published[f"z_{name}"])


def test_residual_guidance(published: Reference, tiny_vit: CLIP) -> None:
    enhanced = published["enhanced"].clone().requires_grad_()
    loss = residual_guidance_loss(
        encode(tiny_vit, enhanced), published["residual"][0], float(published["target"])
    )
    loss.backward()
    assert_agrees(loss, published["residual_guidance"])
    assert_agrees(enhanced.grad, published["residual_guidance_grad"])


# The published gradient is 0.97e-5 away from that of float64, since the score is saturated:
# float32 may round as far to the other side.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 2e-5)])
def test_clip_enhance(
    dtype: torch.dtype, tolerance: float, published: Reference, tiny_vit: CLIP
) -> None:
    enhanced = published["enhanced"].to(dtype, copy=True).requires_grad_()
    clip = copy.deepcopy(tiny_vit).to(dtype)
    loss = clip_enhance_loss(encode(clip, enhanced), published["latent_pair"].to(dtype))
    loss.backward()
    assert_agrees(loss, published["clip_enhance"])
    assert_agrees(enhanced.grad, published["clip_enhance_grad"], tolerance)


@pytest.mark.parametrize(
    ("name", "weights"), [("identity", (1, 1, 1, 1, 0.5)), ("reconstruction", (1, 1, 1, 1, 1))]
)
def test_identity(
    name: str, weights: tuple[float, ...], published: Reference, tiny_resnet: CLIP
) -> None:
    enhanced = published["enhanced"].clone().requires_grad_()
    wanted = feature_maps(tiny_resnet, published["backlit"])
    loss = identity_loss(feature_maps(tiny_resnet, enhanced), wanted, weights)
    loss.backward()
    assert_agrees(loss, published[name])
    assert_agrees(enhanced.grad, published[f"{name}_grad"])


def test_prompt_features(published: Reference, tiny_vit: CLIP) -> None:
    found = encode_prompts(tiny_vit, published["prompt_embedding"], 17)
    assert_agrees(found, published["prompt_text_features"])


@pytest.mark.parametrize("image", ["backlit", "enhanced", "well_lit"])
@pytest.mark.parametrize(
    ("kind", "pair"), [("prompt", "prompt_text_features"), ("latent", "latent_pair")]
)
def test_scores(kind: str, pair: str, image: str, published: Reference) -> None:
    found = prompt_score(published[f"z_{image}"], published[pair])
    assert_agrees(found, published[f"{kind}_score_{image}"])


def test_latent_initialisation(published: Reference) -> None:
    pair = published["latent_pair"].clone().requires_grad_()
    embeddings, labels = six_embeddings(published)
    loss = prompt_initialisation_loss(embeddings, pair, labels)
    loss.backward()
    assert_agrees(loss, published["latent_init_loss"])
    assert_agrees(pair.grad, published["latent_init_loss_grad"])


def test_prompt_initialisation(published: Reference, tiny_vit: CLIP) -> None:
    tokens = published["prompt_embedding"].clone().requires_grad_()
    pair = encode_prompts(tiny_vit, tokens, 17)
    embeddings, labels = six_embeddings(published)
    loss = prompt_initialisation_loss(embeddings, pair, labels)
    loss.backward()
    assert_agrees(loss, published["prompt_init_loss"])
    assert_agrees(tokens.grad, published["prompt_init_loss_grad"])


@pytest.mark.parametrize("kind", ["prompt", "latent"])
def test_ranking(kind: str, published: Reference) -> None:
    backlit, well_lit, enhanced = (
        published[f"{kind}_score_{name}"] for name in ("backlit", "well_lit", "enhanced")
    )
    two = prompt_ranking_loss(backlit, well_lit, margins=(1.0,))
    three = prompt_ranking_loss(backlit, well_lit, (enhanced,), (0.9, 0.2))
    assert_agrees(two, published[f"{kind}_ranking_2"])
    assert_agrees(three, published[f"{kind}_ranking_3"])
