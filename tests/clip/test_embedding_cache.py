"""What was kept comes back; what is damaged or hostile counts as absent, and is told."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from rave_mm.clip import embedding_cache
from rave_mm.clip.embedding_cache import EmbeddingCache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddingCache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return EmbeddingCache("weights", "photos")


def test_what_was_kept_comes_back(cache: EmbeddingCache) -> None:
    assert cache.read(3, 8, "photos") is None
    embeddings = torch.randn(3, 8)
    cache.write(embeddings)
    kept = cache.read(3, 8, "photos")
    assert kept is not None and torch.equal(kept, embeddings)
    assert EmbeddingCache("weights", "other photos").path != cache.path


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a cache file was executed",)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))


def another(path: Path) -> None:
    np.savez(path, vectors=np.zeros((3, 8), np.float32))


def not_finite(path: Path) -> None:
    np.savez(path, embeddings=np.full((3, 8), np.nan, np.float32))


def wrong_shape(path: Path) -> None:
    np.savez(path, embeddings=np.zeros((3, 9), np.float32))


def hostile(path: Path) -> None:
    path.write_bytes(pickle.dumps(Hostile()))


def hostile_member(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("embeddings.npy", pickle.dumps(Hostile()))


@pytest.mark.parametrize(
    "damage",
    [cut, flip, another, not_finite, wrong_shape, hostile, hostile_member, Path.touch],
)
def test_damage_counts_as_absent_and_is_told(
    cache: EmbeddingCache, damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(embedding_cache, "print_log", lambda line, *_: told.append(line))
    cache.write(torch.randn(3, 8))
    if damage is Path.touch:
        cache.path.write_bytes(b"")
    damage(cache.path)
    assert cache.read(3, 8, "3 photos") is None
    (line,) = told
    assert line.startswith(f"{cache.path} is damaged (")
    assert line.endswith("the embeddings of 3 photos are computed anew")
