import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn
from torch.nn.functional import normalize

from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.prompts import encode_prompts, find_text_tower

VISION = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
TEXT = {"context_length": 12, "vocab_size": 50, "width": 32, "heads": 2, "layers": 2}
# Token 49 is the highest, so it is the end token where that is looked for.
TOKENS = torch.tensor(
    [[1, 7, 49, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 49, 0, 0, 0, 0, 0, 0, 0]]
)
ENDS = torch.tensor([2, 4])


def tiny(layout: type[nn.Module], **text: Any) -> Any:
    model = layout(embed_dim=16, vision_cfg=VISION, text_cfg=TEXT | text)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def bundled() -> FrozenCLIP:
    return load_clip()


@pytest.mark.parametrize("layout", [CLIP, CustomTextCLIP])
@pytest.mark.parametrize(
    "text",
    [
        {},
        {"no_causal_mask": True},
        {"proj_bias": True},
        {"proj_type": "none"},
        {"pool_type": "eos", "eos_id": 49},
    ],
    ids=lambda text: ",".join(text) or "plain",
)
def test_embeddings_of_tokens_give_what_the_tokens_give(
    layout: type[nn.Module], text: dict[str, Any]
) -> None:
    model = tiny(layout, **text)
    tower = find_text_tower(model, "tiny")
    features = encode_prompts(tower, tower.token_embedding(TOKENS), ENDS)
    torch.testing.assert_close(features, model.encode_text(TOKENS))


def test_what_follows_the_end_has_no_influence_unless_tokens_see_ahead() -> None:
    for text, has_influence in (({}, False), ({"no_causal_mask": True}, True)):
        tower = find_text_tower(tiny(CLIP, **text), "tiny")
        embedding = tower.token_embedding(TOKENS)
        other = embedding.clone()
        other[:, 5:] += 1
        same = torch.allclose(
            encode_prompts(tower, embedding, ENDS), encode_prompts(tower, other, ENDS)
        )
        assert same != has_influence


def test_gradient_reaches_the_embeddings_up_to_the_end_alone(bundled: FrozenCLIP) -> None:
    embedding, end = bundled.token_embeddings(["backlit", "a well-lit photo"])
    embedding.requires_grad_()
    bundled.embed_prompts(embedding, end)[:, 0].sum().backward()
    assert embedding.grad is not None
    reached = embedding.grad.abs().sum(2) > 0
    for row, last in zip(reached, end.tolist(), strict=True):
        assert row[: last + 1].all() and not row[last + 1 :].any()
    assert all(p.grad is None and not p.requires_grad for p in bundled._model.parameters())


def test_golden_text_features(reference: Path, reference_losses: dict[str, np.ndarray]) -> None:
    golden = {name: torch.from_numpy(value) for name, value in reference_losses.items()}
    clip = FrozenCLIP("openai", str(reference / "clip_vit.pt"))
    embedding, end = golden["prompt_embedding"], golden["prompt_eos"].expand(2)
    features = golden["prompt_text_features"]
    assert_agrees(encode_prompts(clip.text_tower, embedding, end), features)
    assert_agrees(clip.embed_prompts(embedding, end), normalize(features, dim=1))


def assert_agrees(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_texts_may_be_told_either_way(bundled: FrozenCLIP) -> None:
    texts = ["a dark photo", "X " * 16]
    embedding, end = bundled.token_embeddings(texts)
    assert embedding.shape == (2, 32, 64) and end.tolist() == [4, 17]
    torch.testing.assert_close(
        bundled.embed_prompts(embedding, end), bundled.embed_texts(texts), atol=1e-6, rtol=1e-5
    )


def test_both_of_open_clips_layouts(bundled: FrozenCLIP, tmp_path: Path) -> None:
    shutil.copytree(BUNDLED_FOLDER, tmp_path / "clip")
    config = tmp_path / "clip/open_clip_config.json"
    settings = json.loads(config.read_text())
    settings["model_cfg"]["custom_text"] = True
    config.write_text(json.dumps(settings))
    other = FrozenCLIP(f"local-dir:{tmp_path / 'clip'}")
    assert isinstance(other._model, CustomTextCLIP)
    prompts = bundled.token_embeddings(["a dark photo"])
    torch.testing.assert_close(other.token_embeddings(["a dark photo"]), prompts)
    torch.testing.assert_close(other.embed_prompts(*prompts), bundled.embed_prompts(*prompts))


def test_autocast_around_it_does_not_change_it(bundled: FrozenCLIP) -> None:
    prompts = bundled.token_embeddings(["a dark photo", "a photo"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = bundled.embed_prompts(*prompts)
    torch.testing.assert_close(inside, bundled.embed_prompts(*prompts), atol=0, rtol=0)
    rough = FrozenCLIP(precision="bfloat16").embed_prompts(*prompts)
    assert rough.dtype == torch.float32
    assert 0 < (rough - inside).abs().max() < 0.05


def test_a_text_that_is_too_long_is_not_cut(bundled: FrozenCLIP) -> None:
    with pytest.raises(ValueError, match="text of 31 tokens, expected at most 30"):
        bundled.token_embeddings(["photo " * 31])
    assert bundled.token_embeddings(["photo " * 30])[1].tolist() == [31]


def test_another_vocabulary_is_refused(reference: Path) -> None:
    clip = FrozenCLIP("openai", str(reference / "clip_vit.pt"))
    with pytest.raises(TypeError, match="knows 600 tokens, CLIP's tokenizer 49408.*from a file"):
        clip.token_embeddings(["X"])


class Foreign(nn.Module):
    """Stands for a model whose text tower is not open_clip's own."""

    def __init__(self, text: nn.Module | None) -> None:
        super().__init__()
        self.text = text


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Foreign(None), "tiny: its text tower is none.*LatentPair"),
        (lambda: Foreign(nn.Linear(1, 1)), "tiny: its text tower is a Linear.*LatentPair"),
        (lambda: tiny(CustomTextCLIP, pool_type="last"), r"another token.*\(last\).*LatentPair"),
        (lambda: tiny(CustomTextCLIP, embed_cls=True), r"another token.*\(class token\)"),
    ],
)
def test_without_such_a_text_tower_it_says_so(model: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        find_text_tower(model(), "tiny")


@pytest.mark.parametrize("shape", [(2, 13, 32), (2, 12, 31), (12, 32)])
def test_wrong_shape_of_prompts(shape: tuple[int, ...]) -> None:
    tower = find_text_tower(tiny(CLIP), "tiny")
    with pytest.raises(ValueError, match=r"expected \(K, L, 32\) with L at most 12"):
        encode_prompts(tower, torch.zeros(shape), ENDS)


@pytest.mark.parametrize("end", [torch.tensor([2]), torch.tensor([2.0, 4.0])])
def test_wrong_ends(end: Tensor) -> None:
    tower = find_text_tower(tiny(CLIP), "tiny")
    with pytest.raises(ValueError, match="for 2 prompts; expected a torch.int64 position"):
        encode_prompts(tower, torch.zeros(2, 12, 32), end)
