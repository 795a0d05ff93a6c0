from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.vocabulary import Words, embed_phrases, vocabulary
from rave_mm.direction.bias import bias_remover, change_report
from rave_mm.direction.clouds import PhotoClouds
from rave_mm.functional import token_shift


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def vector() -> torch.Tensor:
    return normalize(torch.randn(load_clip().dimension), dim=0)


def test_tokens_are_removed_as_the_paper_does(vector: torch.Tensor) -> None:
    clip = load_clip()
    remover = bias_remover(clip, remove_tokens=15)
    expected = token_shift(vector, vocabulary(clip).embeddings, 15)
    torch.testing.assert_close(remover(vector), expected)
    assert remover.description == "15 tokens at each end"


def test_the_vector_says_nothing_of_removed_words(vector: torch.Tensor) -> None:
    clip = load_clip()
    words = ["room", "a photo of a person", "light"]
    remover = bias_remover(clip, remove_tokens=15, remove_words=words)
    found = remover(vector)
    assert found.norm().item() == pytest.approx(1)
    assert (embed_phrases(clip, words).embeddings @ found).abs().max() < 1e-5
    assert remover.description == (
        "15 tokens at each end and the words room, a photo of a person, light"
    )


def test_nothing_to_remove_needs_no_text_tower(vector: torch.Tensor, reference: Path) -> None:
    clip = FrozenCLIP("openai", str(reference / "clip_vit.pt"))  # of other tokens
    remover = bias_remover(clip)
    assert remover.description == ""
    torch.testing.assert_close(remover(vector), vector, rtol=0, atol=0)
    with pytest.raises(TypeError, match="CLIP's tokenizer 49408"):
        bias_remover(clip, remove_words=["light"])


def test_a_string_is_no_list_of_words() -> None:
    with pytest.raises(ValueError, match=r"got the string 'light', expected .* \['light'\]"):
        bias_remover(load_clip(), remove_words="light")
    with pytest.raises(ValueError, match="remove_tokens: got -1"):
        bias_remover(load_clip(), remove_tokens=-1)


def test_report_of_a_change(make_clouds: Callable[..., PhotoClouds]) -> None:
    clouds = make_clouds(1.0)
    before, after = torch.eye(16)[0], normalize(torch.eye(16)[0] + torch.eye(16)[5], dim=0)
    words = Words(("light", "dark", "other"), torch.stack([before, -before, torch.eye(16)[5]]))
    lines = change_report(before, after, words, clouds, count=2).split("\n")
    assert lines[0] == "cosine of the two vectors: 0.7071"
    assert lines[1] == "on 40 well-lit and 40 backlit photos of the first:"
    assert lines[3].split()[:2] == ["before", "1.000"]
    between = [float(line.split()[-1]) for line in lines[3:5]]
    assert 0.6 < between[1] / between[0] < 0.8, "the step is 1/sqrt(2) as long on the new vector"
    assert lines[7].split() == ["light", "1.0000", "1", "light"]
    assert lines[8].split() == ["other", "0.0000", "2", "other"]
    assert lines[11].split() == ["dark", "-1.0000", "3", "dark"]
    assert "AUC" not in change_report(before, after, words)
