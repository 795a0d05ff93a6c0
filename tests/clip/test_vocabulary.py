from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from rave_mm.clip import vocabulary as module
from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.vocabulary import embed_phrases, vocabulary

START, END = 49406, 49407


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rave_mm" / "embeddings"


def test_tokens_are_what_clip_makes_of_them_one_at_a_time() -> None:
    clip = load_clip()
    tokens = torch.tensor([0, 255, 256, 320, 1125, 40000, START, END])
    rows = torch.zeros(len(tokens), clip._model.context_length, dtype=torch.int64)
    rows[:, 0], rows[:, 1], rows[:, 2] = START, tokens, END
    alone = [normalize(clip._model.encode_text(row[None]), dim=-1)[0] for row in rows]
    torch.testing.assert_close(clip.embed_tokens(tokens), torch.stack(alone), rtol=0, atol=1e-6)


def test_the_vocabulary_is_clips_whole_one_and_is_encoded_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = load_clip()
    first = vocabulary(clip)
    assert len(first.words) == 49408 and first.embeddings.shape == (49408, clip.dimension)
    torch.testing.assert_close(first.embeddings.norm(dim=1), torch.ones(49408))
    assert (first.words[1125], first.words[START]) == ("photo", "<start_of_text>")
    assert first.words[40000] == "cheek-", "a token that does not end a word"
    monkeypatch.setattr(FrozenCLIP, "embed_tokens", lambda *_: pytest.fail("was encoded again"))
    again = vocabulary(clip)
    torch.testing.assert_close(again.embeddings, first.embeddings, rtol=0, atol=0)
    assert len(list(cache.iterdir())) == 1


def test_phrases_are_embedded_as_texts_whatever_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = load_clip()
    phrases = ["photo", "a backlit photo", "a well-lit photo of a tower"]
    monkeypatch.setattr(module, "_BATCH", 2)
    found = embed_phrases(clip, phrases)
    assert found.words == tuple(phrases)
    torch.testing.assert_close(found.embeddings, clip.embed_texts(phrases), rtol=0, atol=1e-6)


@pytest.mark.parametrize("phrases", [[], ["light", " "]])
def test_empty_phrases(phrases: list[str]) -> None:
    with pytest.raises(ValueError, match="expected at least one, none empty"):
        embed_phrases(load_clip(), phrases)


def test_another_text_tower_has_another_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = FrozenCLIP(), FrozenCLIP()
    assert first.text_fingerprint == second.text_fingerprint
    third = FrozenCLIP()
    third.text_tower.token_embedding.weight.data[7] += 1
    assert third.text_fingerprint != first.text_fingerprint
    assert third.fingerprint == first.fingerprint, "the image tower is the same"


def test_a_clip_of_other_tokens_cannot_be_asked(reference: Path) -> None:
    clip = FrozenCLIP("openai", str(reference / "clip_vit.pt"))
    with pytest.raises(TypeError, match="CLIP's tokenizer 49408"):
        vocabulary(clip)
