import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from torch import Tensor
from torch.nn.functional import normalize

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.functional import prompt_initialisation_loss, prompt_score
from rave_mm.losses import prompt_pairs
from rave_mm.losses.prompt_pairs import LatentPair, Pair, PromptPair, pair_from_file

OPENAI = {"model": "ViT-B-32-quickgelu", "pretrained": "openai"}


@pytest.fixture
def other_clip(tmp_path: Path) -> dict[str, str]:
    """A CLIP of the bundled one's sizes that sees otherwise."""
    shutil.copytree(BUNDLED_FOLDER, tmp_path / "clip")
    config = tmp_path / "clip/open_clip_config.json"
    settings = json.loads(config.read_text())
    settings["preprocess_cfg"]["resize_mode"] = "squash"
    config.write_text(json.dumps(settings))
    return {"model": f"local-dir:{tmp_path / 'clip'}"}


def begun(pair: Pair) -> Pair:
    pair.init_weights()
    return pair


def test_registered_under_names_that_others_rely_on() -> None:
    assert MODELS.get("PromptPair") is PromptPair
    assert MODELS.get("LatentPair") is LatentPair


@pytest.mark.parametrize("kind", [PromptPair, LatentPair])
def test_two_unit_vectors(kind: type[Pair]) -> None:
    vectors = kind()()
    assert vectors.shape == (2, 256) and vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_row_0_is_backlit_and_row_1_well_lit() -> None:
    texts = ("a dark photo", "a well-lit photo")
    pair = PromptPair(start="words", words=texts)()
    torch.testing.assert_close(pair, load_clip().embed_texts(texts), atol=1e-6, rtol=1e-5)
    # A picture that is like the dark text scores as backlit, towards 1.
    scores = prompt_score(pair.detach(), pair)
    assert scores[0] > 0.5 > scores[1]


def test_the_papers_start_is_16_times_x() -> None:
    pair = begun(PromptPair())
    wanted, end = load_clip().token_embeddings([" ".join("X" * 16)] * 2)
    torch.testing.assert_close(pair.values.data, wanted)
    assert end.tolist() == pair.end.tolist() == [17, 17]


def test_random_tokens_between_start_and_end() -> None:
    pair = begun(PromptPair(start="random", length=4))
    x, _ = load_clip().token_embeddings(["X X X X"] * 2)
    same = (pair.values == x).all(2)
    assert same.tolist() == [[not 1 <= i <= 4 for i in range(32)]] * 2
    assert pair.end.tolist() == [5, 5]
    assert 0.015 < pair.values[:, 1:5].std() < 0.025
    torch.manual_seed(0)
    torch.testing.assert_close(begun(PromptPair(start="random", length=4))(), pair())
    assert (PromptPair(start="random", length=4)() - pair()).abs().max() > 1e-3


def test_random_tokens_and_words_behind_them() -> None:
    pair = begun(PromptPair(start="random", length=4, words=("low light", "normal light bulb")))
    words, _ = load_clip().token_embeddings(["low light", "normal light bulb"])
    assert pair.end.tolist() == [7, 8]
    # From the first word to the end token.
    torch.testing.assert_close(pair.values[0, 5:8], words[0, 1:4])
    torch.testing.assert_close(pair.values[1, 5:9], words[1, 1:5])


def test_words_alone() -> None:
    pair = PromptPair(start="words", words=("backlit", "well-lit"))
    wanted = load_clip().embed_texts(["backlit", "well-lit"])
    torch.testing.assert_close(pair(), wanted, atol=1e-6, rtol=1e-5)


def test_latent_start_is_standard_normal_from_the_global_generator() -> None:
    pair = begun(LatentPair())
    assert abs(pair.values.mean()) < 0.15 and abs(pair.values.std() - 1) < 0.1
    torch.manual_seed(0)
    torch.testing.assert_close(LatentPair().values, pair.values)


@pytest.mark.parametrize("kind", [PromptPair, LatentPair])
def test_only_its_own_parameter_learns(kind: type[Pair]) -> None:
    pair = kind()
    (parameter,) = pair.parameters()
    assert parameter is pair.values
    optimizer = torch.optim.Adam(pair.parameters(), 0.1)  # built before the start, as MMEngine's
    pair.init_weights()
    before = pair()[0].detach()
    for _ in range(3):
        optimizer.zero_grad()
        pair()[0].sub(before.flip(0)).square().sum().backward()
        optimizer.step()
    assert pair()[0] @ before < 0.999
    assert not any(p.requires_grad for p in load_clip()._model.parameters())


@pytest.mark.parametrize("kind", [PromptPair, LatentPair])
def test_building_and_loading_need_no_clip_weights(
    kind: type[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_pairs, "load_clip", lambda **_: pytest.fail("the CLIP was loaded"))
    pair = kind(clip=OPENAI)
    assert pair.values.shape == ((2, 77, 512) if kind is PromptPair else (2, 512))
    pair.load_state_dict(copy.deepcopy(pair).state_dict())


@pytest.mark.parametrize("kind", [PromptPair, LatentPair])
def test_a_checkpoint_carries_the_pair(kind: type[Pair]) -> None:
    pair = begun(kind())
    pair.values.data.add_(0.1 * torch.randn_like(pair.values))
    fresh = kind()
    fresh.load_state_dict(pair.state_dict())
    torch.testing.assert_close(fresh(), pair())
    assert set(pair.state_dict()) == set(kind().state_dict())


def test_a_checkpoint_of_another_clip_is_refused_at_the_first_call(
    other_clip: dict[str, str],
) -> None:
    pair = LatentPair(clip=other_clip)
    pair.load_state_dict(begun(LatentPair()).state_dict())
    with pytest.raises(ValueError, match="checkpoint's pair was learned with another CLIP"):
        pair()


def test_a_checkpoint_of_another_size_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"holds a pair of shape \(2, 32, 64\), which fits a CLIP with a context of 32 tokens "
        r"of width 64; expected \(2, 77, 512\)",
    ):
        PromptPair(clip=OPENAI).load_state_dict(PromptPair().state_dict())


@pytest.mark.parametrize("kind", [PromptPair, LatentPair])
def test_export_and_start_from_it(kind: type[Pair], tmp_path: Path) -> None:
    settings: dict[str, Any] = {}
    if kind is PromptPair:
        settings = {"start": "random", "length": 3, "words": ("backlit", "well-lit")}
    pair = kind(**settings)
    pair.export(tmp_path / "pair.pth")
    stored = torch.load(tmp_path / "pair.pth", weights_only=True)
    assert stored["clip"] == "lighting-clip" and "date" in stored
    for read in (kind(start=str(tmp_path / "pair.pth")), pair_from_file(tmp_path / "pair.pth", {})):
        assert type(read) is kind
        torch.testing.assert_close(read(), pair())


def test_a_checkpoint_is_a_start(tmp_path: Path) -> None:
    pair = begun(PromptPair(start="random"))
    state = {f"pair.{name}": value for name, value in pair.state_dict().items()}
    torch.save({"state_dict": state | {"generator.w": torch.ones(1)}}, tmp_path / "iter_9.pth")
    torch.testing.assert_close(PromptPair(start=str(tmp_path / "iter_9.pth"))(), pair())


@pytest.mark.parametrize(
    ("kind", "layout", "key"),
    [
        (PromptPair, "clip_lit", "module.embedding_prompt"),
        (PromptPair, "rave", "module.prompt_embedding"),
        (LatentPair, "rave", "module.guidance_embeddings"),
    ],
)
def test_published_layouts(kind: type[Pair], layout: str, key: str, tmp_path: Path) -> None:
    pair = begun(kind())
    pair.values.data.add_(0.1 * torch.randn_like(pair.values))
    pair.export(tmp_path / "pair.pth", layout)
    stored = torch.load(tmp_path / "pair.pth", weights_only=True)
    assert set(stored) == {key}
    torch.testing.assert_close(stored[key], pair.values.data)
    torch.testing.assert_close(kind(start=str(tmp_path / "pair.pth"))(), pair())


def test_published_code_would_misread_prompts_of_another_length(tmp_path: Path) -> None:
    pair = PromptPair(length=4)
    with pytest.raises(ValueError, match=r"end at \[5, 5\], but published code reads them at 17"):
        pair.export(tmp_path / "pair.pth", "clip_lit")
    with pytest.raises(ValueError, match="in layout 'clip_lit', expected.*one of rave_mm, rave"):
        LatentPair().export(tmp_path / "pair.pth", "clip_lit")
    with pytest.raises(ValueError, match=r"pair\.npz.*expected a name that ends in \.pth or \.pt"):
        pair.export(tmp_path / "pair.npz")
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_clip_is_refused(other_clip: dict[str, str], tmp_path: Path) -> None:
    path = str(tmp_path / "pair.pth")
    LatentPair(clip=other_clip).export(path)
    with pytest.raises(ValueError, match=r"pair\.pth was learned with another CLIP"):
        begun(LatentPair(start=path))


def test_a_file_of_another_size_tells_what_clip_it_fits(tmp_path: Path) -> None:
    path = str(tmp_path / "init_prompt_pair.pth")
    torch.save({"module.embedding_prompt": torch.zeros(2, 77, 512)}, path)
    with pytest.raises(
        ValueError, match=r"\(2, 77, 512\), which fits a CLIP with a context of 77 tokens of width"
    ):
        begun(PromptPair(start=path))
    with pytest.raises(ValueError, match="keys vectors, guidance_embeddings.*found module.embedd"):
        begun(LatentPair(start=path))


def test_without_a_text_tower_there_is_still_the_latent_pair() -> None:
    clip = {"model": "roberta-ViT-B-32", "pretrained": "laion2b_s12b_b32k"}
    with pytest.raises(TypeError, match="no text tower that takes token embeddings.*a LatentPair"):
        PromptPair(clip=clip)
    assert LatentPair(clip=clip).values.shape == (2, 512)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "words"}, "start='words' with words=None; expected words with start='words'"),
        ({"words": ("a", "b")}, r"start='X' with words=\('a', 'b'\)"),
        ({"start": "x.pth", "words": ("a", "b")}, "start='x.pth' with words"),
        ({"start": "random", "words": "ab"}, "words: got 'ab', expected two texts"),
        ({"start": "random", "words": ("a",)}, "expected two texts"),
        ({"start": "rnd"}, "start: got 'rnd', expected 'X', 'random', 'words', or a file"),
        ({"length": 31}, "length: got 31, expected 1 to 30"),
        ({"length": 0}, "length: got 0, expected 1 to 30"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptPair(**settings)


def test_words_that_are_too_many_are_not_cut() -> None:
    with pytest.raises(ValueError, match="text of 31 tokens, expected at most 30"):
        begun(PromptPair(start="random", length=28, words=("low light photo", "photo")))


def golden_pair(kind: str, golden: dict[str, Tensor], reference: Path, folder: Path) -> Pair:
    """The reference's pair, from a file in a published layout."""
    clip = {"model": "openai", "pretrained": str(reference / "clip_vit.pt")}
    key, name = ("embedding_prompt", "prompt_embedding")
    if kind == "latent":
        key, name = ("guidance_embeddings", "latent_pair")
    torch.save({f"module.{key}": golden[name]}, folder / "pair.pth")
    return pair_from_file(folder / "pair.pth", clip)


@pytest.mark.parametrize("kind", ["prompt", "latent"])
def test_golden_vectors_and_gradient(
    kind: str, reference: Path, reference_losses: dict[str, np.ndarray], tmp_path: Path
) -> None:
    golden = {name: torch.from_numpy(value) for name, value in reference_losses.items()}
    pair = golden_pair(kind, golden, reference, tmp_path)
    wanted = golden["prompt_text_features" if kind == "prompt" else "latent_pair"]
    torch.testing.assert_close(pair().detach(), normalize(wanted, dim=1), rtol=1e-5, atol=1e-6)
    embeddings = torch.cat([golden["z_backlit"], golden["z_well_lit"]])
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    loss = prompt_initialisation_loss(embeddings, pair(), labels)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden[f"{kind}_init_loss"]), rel=1e-5)
    gradient, expected = pair.values.grad, golden[f"{kind}_init_loss_grad"]
    assert gradient is not None
    assert (gradient - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_copy_shares_the_clip() -> None:
    pair = PromptPair()
    assert isinstance(pair.clip, FrozenCLIP)
    assert copy.deepcopy(pair).clip is pair.clip
    assert set(pair.state_dict()) == {"embedding", "end", "fingerprint"}
