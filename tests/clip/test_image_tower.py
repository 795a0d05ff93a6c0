import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.functional import identity_loss


@pytest.fixture(scope="module")
def bundled() -> FrozenCLIP:
    return load_clip()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 40, 56)


def test_embeddings_are_unit_rows(bundled: FrozenCLIP, images: torch.Tensor) -> None:
    embeddings = bundled.embed(images)
    assert embeddings.shape == (3, bundled.dimension)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


def test_a_batch_is_embedded_as_its_pictures(bundled: FrozenCLIP, images: torch.Tensor) -> None:
    """Batch norm would mix the pictures of a batch, were the model ever in train mode."""
    alone = torch.cat([bundled.embed(image[None]) for image in images])
    torch.testing.assert_close(bundled.embed(images), alone, atol=1e-5, rtol=1e-5)


def test_gradient_reaches_the_picture_and_nothing_else(
    bundled: FrozenCLIP, images: torch.Tensor
) -> None:
    images.requires_grad_()
    bundled.embed(images)[:, 0].sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in bundled._model.parameters())


def test_channel_order_matters(bundled: FrozenCLIP, images: torch.Tensor) -> None:
    red = images * torch.tensor([1.0, 0.3, 0.3]).view(3, 1, 1)
    assert (bundled.embed(red) - bundled.embed(red.flip(1))).abs().max() > 0.01


def test_five_feature_maps_halve_in_size(bundled: FrozenCLIP, images: torch.Tensor) -> None:
    maps = bundled.feature_maps(images)
    assert [m.shape[-1] for m in maps] == [24, 24, 12, 6, 3]
    assert float(identity_loss(maps, maps, (1, 1, 1, 1, 1))) == 0


def test_vision_transformer_has_no_stages(reference: Path, images: torch.Tensor) -> None:
    clip = FrozenCLIP("openai", str(reference / "clip_vit.pt"))
    with pytest.raises(TypeError, match="VisionTransformer.*needs the stages of a ModifiedResNet"):
        clip.feature_maps(images)


def test_autocast_around_it_does_not_change_it(bundled: FrozenCLIP, images: torch.Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = bundled.embed(images)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, bundled.embed(images), atol=0, rtol=0)


def test_bfloat16_on_request_is_close_but_not_equal(
    bundled: FrozenCLIP, images: torch.Tensor
) -> None:
    rough = FrozenCLIP(precision="bfloat16").embed(images)
    exact = bundled.embed(images)
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(
        ValueError, match="precision: got 'float16', expected one of float32, bfloat16"
    ):
        FrozenCLIP(precision="float16")


def test_photo_preprocessing_is_open_clips_own(bundled: FrozenCLIP) -> None:
    photo = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (130, 200, 3), dtype=np.uint8)
    )
    expected = open_clip.image_transform(96, is_train=False, mean=bundled.mean, std=bundled.std)(
        photo
    )
    torch.testing.assert_close(bundled.prepare_photo(photo), expected)


def test_fingerprint_tells_models_apart(bundled: FrozenCLIP, reference: Path) -> None:
    other = FrozenCLIP("openai", str(reference / "clip_resnet.pt"))
    assert bundled.fingerprint == FrozenCLIP().fingerprint != other.fingerprint


def test_a_models_own_preprocessing_is_used_and_told(bundled: FrozenCLIP, tmp_path: Path) -> None:
    """As SigLIP's: the whole photo, its aspect ratio not kept."""
    shutil.copytree(BUNDLED_FOLDER, tmp_path / "clip")
    config = tmp_path / "clip/open_clip_config.json"
    settings = json.loads(config.read_text())
    settings["preprocess_cfg"] |= {"resize_mode": "squash", "interpolation": "bilinear"}
    config.write_text(json.dumps(settings))
    other = FrozenCLIP(f"local-dir:{tmp_path / 'clip'}")
    photo = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (130, 200, 3), dtype=np.uint8)
    )
    small = np.asarray(photo.resize((96, 96), Image.Resampling.BILINEAR), np.float32) / 255
    expected = torch.from_numpy((small - other.mean) / other.std).permute(2, 0, 1).float()
    torch.testing.assert_close(other.prepare_photo(photo), expected, atol=1e-5, rtol=1e-5)
    assert other.fingerprint != bundled.fingerprint
