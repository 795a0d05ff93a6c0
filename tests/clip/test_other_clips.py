"""A small model of each kind of CLIP with random weights: guidance, pair, preprocessing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from open_clip.transform import PreprocessCfg
from PIL import Image

from rave_mm.clip import weights
from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.sizes import clip_sizes
from rave_mm.clip.weights import MissingWeightsError, build_clip
from rave_mm.functional import residual_guidance_loss, residual_vector
from rave_mm.losses.clip_identity_loss import CLIPIdentityLoss
from rave_mm.losses.prompt_pairs import LatentPair, PromptPair
from rave_mm.losses.residual_guidance_loss import ResidualGuidanceLoss
from rave_mm.photos.writing import write_photo

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
SIGLIP_TEXT = TEXT | {
    "vocab_size": 320,
    "no_causal_mask": True,
    "proj_bias": True,
    "pool_type": "last",
}


def timm_tower(name: str, size: int, pool: str, proj: str | None) -> dict[str, Any]:
    return {
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": pool,
        "timm_proj": proj,
        "image_size": size,
    }


# open_clip's configs of ViT-B-16, convnext_base, ViT-B-16-SigLIP and MobileCLIP2-S0, with smaller
# towers where timm has a smaller one of the kind.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ViT-B-16": (
        {
            "embed_dim": 24,
            "vision_cfg": {
                "image_size": 64,
                "layers": 1,
                "width": 64,
                "patch_size": 16,
            },
            "text_cfg": TEXT,
        },
        {},
    ),
    "convnext_base": (
        {
            "embed_dim": 24,
            "vision_cfg": timm_tower("test_convnext", 160, "", "linear"),
            "text_cfg": TEXT,
        },
        {},
    ),
    "ViT-B-16-SigLIP": (
        {
            "embed_dim": 64,
            "init_logit_bias": -10,
            "custom_text": True,
            "vision_cfg": timm_tower("test_vit", 160, "map", "none"),
            "text_cfg": SIGLIP_TEXT | {"width": 64},
        },
        {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"},
    ),
    "MobileCLIP2-S0": (
        {
            "embed_dim": 24,
            "custom_text": True,
            "vision_cfg": timm_tower("fastvit_mci0", 128, "avg", None),
            "text_cfg": TEXT | {"no_causal_mask": True},
        },
        {"mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bilinear"},
    ),
}
RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(name, folder in open_clip's layout, FrozenCLIP)"""
    model, preprocess = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    custom = "custom_text" in model
    kinds: Any = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    built = kinds(**{key: value for key, value in model.items() if key != "custom_text"})
    torch.save(built.state_dict(), folder / "open_clip_pytorch_model.bin")
    config = {"model_cfg": model, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return request.param, folder, FrozenCLIP(f"local-dir:{folder}")


def test_guidance_and_its_gradient(kind: Any) -> None:
    _, _, clip = kind
    photos = torch.rand(2, 3, 40, 56, requires_grad=True)
    embeddings = clip.embed(photos)
    assert embeddings.shape == (2, clip.dimension)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    with torch.no_grad():
        vector, target = residual_vector(clip.embed(photos * 0 + 0.8), clip.embed(photos * 0.2))
    residual_guidance_loss(embeddings, vector, target).backward()
    assert photos.grad is not None and torch.isfinite(photos.grad).all()
    assert (photos.grad.flatten(1).norm(dim=1) > 0).all()
    assert all(parameter.grad is None for parameter in clip._model.parameters())


def test_preprocessing_is_the_models_own(kind: Any) -> None:
    name, _, clip = kind
    named = open_clip.get_pretrained_cfg(name, open_clip.list_pretrained_tags_by_model(name)[0])
    assert clip.mean == pytest.approx(named["mean"]) and clip.std == pytest.approx(named["std"])
    size = clip.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (size, 2 * size, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels)
    if named["resize_mode"] == "squash":
        photo = photo.resize((size, size), RESAMPLING[named["interpolation"]])
    else:  # the short side fits already
        photo = photo.crop((size // 2, 0, size // 2 + size, size))
    expected = torch.from_numpy(np.asarray(photo, np.float32) / 255).permute(2, 0, 1)
    mean, std = (torch.tensor(named[key]).view(3, 1, 1) for key in ("mean", "std"))
    found = clip.prepare_photo(Image.fromarray(pixels))
    torch.testing.assert_close(found, (expected - mean) / std, atol=1e-4, rtol=1e-4)
    # A loss gives it the same mean and std.
    grey = clip._prepare(torch.full((1, 3, 8, 8), 0.5))
    torch.testing.assert_close(grey[0, :, :1, :1], (0.5 - mean) / std, atol=1e-5, rtol=1e-5)


def test_a_latent_pair_needs_no_text_tower(kind: Any) -> None:
    _, folder, clip = kind
    settings = {"model": f"local-dir:{folder}"}
    assert clip_sizes(**settings).dimension == clip.dimension
    pair = LatentPair(clip=settings)
    assert pair().shape == (2, clip.dimension)


def test_the_residual_is_computed_from_folders(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, folder, _ = kind
    for name, level in (("well_lit", 200), ("backlit", 30)):
        (tmp_path / name).mkdir()
        for index in range(2):
            noise = np.random.default_rng(index).integers(0, 40, (40, 50, 3))
            write_photo(tmp_path / name / f"{index}.png", (noise + level).astype(np.uint8))
    folders = {"well_lit": str(tmp_path / "well_lit"), "backlit": str(tmp_path / "backlit")}
    loss = ResidualGuidanceLoss(folders, clip={"model": f"local-dir:{folder}"})
    loss.init_weights()
    photos = torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(photos, photos).backward()
    assert photos.grad is not None and photos.grad.norm() > 0


def test_identity_says_what_it_needs(kind: Any) -> None:
    _, folder, _ = kind
    with pytest.raises(TypeError, match="the identity loss needs the stages of a ModifiedResNet"):
        CLIPIdentityLoss(clip={"model": f"local-dir:{folder}"}).init_weights()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ViT-B-16-SigLIP", {"mean": (0.5, 0.5, 0.5), "resize_mode": "squash"}),
        ("MobileCLIP-S1", {"mean": (0.0, 0.0, 0.0), "interpolation": "bilinear"}),
        ("convnext_tiny", {}),  # open_clip knows no weights of it
    ],
)
def test_bare_weights_are_prepared_for_as_the_known_ones(
    name: str, expected: dict[str, Any]
) -> None:
    usual = weights._usual_preprocessing(name, Path("mine.pt"))
    assert usual.items() >= expected.items() and bool(usual) == bool(expected)


def test_it_is_told_where_the_known_ones_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(weights, "print_log", lambda message, *_: said.append(message))
    usual = weights._usual_preprocessing("ViT-L-14", Path("mine.pt"))
    assert "mean" not in usual and usual["interpolation"] == "bicubic"
    assert any("weights of ViT-L-14 differ in the mean" in message for message in said)


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("timm") / "test_vit.pth"
    torch.save(timm.create_model("test_vit").state_dict(), path)
    return str(path)


def test_an_encoder_without_a_text_tower(encoder_file: str) -> None:
    settings = {"model": "timm:test_vit.r160_in1k", "pretrained": encoder_file}
    clip = FrozenCLIP(**settings)
    told = timm.create_model("test_vit.r160_in1k").default_cfg
    assert clip.mean == told["mean"] and clip.image_size == told["input_size"][1] == 160
    photos = torch.rand(2, 3, 40, 56, requires_grad=True)
    clip.embed(photos)[:, 0].sum().backward()
    assert photos.grad is not None and photos.grad.norm() > 0
    assert clip_sizes(**settings).dimension == clip.dimension
    assert LatentPair(clip=settings)().shape == (2, clip.dimension)
    with pytest.raises(TypeError, match="it has no text tower"):
        clip.embed_texts(["a photo"])
    with pytest.raises(TypeError, match="no text tower that takes token embeddings"):
        PromptPair(clip=settings)


def test_the_encoders_weights_are_the_files(encoder_file: str) -> None:
    built, preprocess = build_clip("timm:test_vit.r160_in1k", encoder_file)
    stored = torch.load(encoder_file, weights_only=True)
    name = "blocks.0.attn.qkv.weight"
    torch.testing.assert_close(built.visual.state_dict()[name], stored[name])
    assert isinstance(preprocess, PreprocessCfg) and not built.training


def test_unknown_and_missing_encoders_are_told(tmp_path: Path, encoder_file: str) -> None:
    with pytest.raises(ValueError, match="got the model timm:vit_none, which timm does not know"):
        build_clip("timm:vit_none", None)
    with pytest.raises(MissingWeightsError, match="for timm:test_vit: it is no file"):
        build_clip("timm:test_vit", str(tmp_path / "none.pth"))
    with pytest.raises(ValueError, match="holds no weights of timm:test_convnext"):
        build_clip("timm:test_convnext", encoder_file)


@pytest.mark.parametrize("model", ["hf-hub:somebody/clip", "timm:test_vit.r160_in1k"])
def test_without_internet_it_says_what_to_do(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(open_clip, "create_model", fail)
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(MissingWeightsError, match=rf"{model} could not be had .*no route to host"):
        build_clip(model, None)
