"""Files that would run code when they are read do not: in each place where a file is read."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rave_mm.clip.embedding_cache import EmbeddingCache
from rave_mm.clip.encoder import load_clip
from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.engine.work_dir import newest_complete_checkpoint
from rave_mm.evaluation.perceptual import load_lpips
from rave_mm.inference.weights import load_network
from rave_mm.losses.pair_files import read_pair
from rave_mm.networks.checkpoint_file import read_checkpoint

Reader = Callable[[Path], Any]


class Harm:
    """Unpickled, it would make a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


def tensors(path: Path, harm: Harm) -> None:
    """As PyTorch saves: an archive with a pickle."""
    torch.save({"state_dict": {"conv.weight": torch.zeros(1)}, "meta": harm}, path)


def old_tensors(path: Path, harm: Harm) -> None:
    """As PyTorch once did: a stream of pickles."""
    torch.save({"end": harm}, path, _use_new_zipfile_serialization=False)


def bare(path: Path, harm: Harm) -> None:
    path.write_bytes(pickle.dumps(harm))


def arrays(path: Path, harm: Harm) -> None:
    with path.open("wb") as file:
        names = ("vector", "target", "provenance", "embeddings", "digests", "paths")
        np.savez(file, **{name: np.array([harm], dtype=object) for name in names})


READERS: dict[str, tuple[str, Reader]] = {
    "checkpoint": ("a.pth", read_checkpoint),
    "checkpoint for enhancing": ("a.pth", load_network),
    "prompt pair": ("a.pth", lambda path: read_pair(path, ("embedding_prompt",))),
    "residual vector": ("a.npz", ResidualVector.load),
    "weights of a CLIP": ("a.pt", lambda path: load_clip("RN50", str(path))),
    "weights of OpenAI's CLIP": ("a.pt", lambda path: load_clip("openai", str(path))),
    "weights of a metric": ("a.pth", lambda path: load_lpips("alex", path)),
}


@pytest.mark.parametrize("write", [tensors, old_tensors, bare, arrays])
@pytest.mark.parametrize("place", READERS)
def test_it_is_refused_in_our_words(
    place: str, write: Callable[[Path, Harm], None], tmp_path: Path
) -> None:
    name, read = READERS[place]
    path, mark = tmp_path / name, tmp_path / "harmed"
    write(path, Harm(mark))
    with pytest.raises(Exception) as refused:  # noqa: PT011 - its words are looked at
        read(path)
    assert not mark.exists()
    assert str(path) in str(refused.value)
    assert "weights_only" not in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 3


def test_a_cache_of_embeddings_counts_as_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = EmbeddingCache("key")
    cache.path.parent.mkdir(parents=True)
    arrays(cache.path, Harm(tmp_path / "harmed"))
    assert cache.read(1, 4, "photos") is None
    assert not (tmp_path / "harmed").exists()


def test_harm_is_harmful(tmp_path: Path) -> None:
    """Or the tests above would prove nothing."""
    tensors(tmp_path / "a.pth", Harm(tmp_path / "harmed"))
    torch.load(tmp_path / "a.pth", weights_only=False)
    assert (tmp_path / "harmed").is_dir()


def test_resume_passes_over_it(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "meta": {}}, tmp_path / "iter_1.pth")
    tensors(tmp_path / "iter_2.pth", Harm(tmp_path / "harmed"))
    found, told = newest_complete_checkpoint(tmp_path)
    assert found == tmp_path / "iter_1.pth" and "iter_2.pth is passed over" in told[0]
    assert not (tmp_path / "harmed").exists()
