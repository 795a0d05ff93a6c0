"""Training steps are timed: each way, and the loader alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from rave_mm.benchmark import training
from rave_mm.benchmark.loader import photos_per_second
from rave_mm.clip.bundled import BUNDLED
from rave_mm.runtime import compat

compat.apply()


@contextmanager
def bundled_clips() -> Iterator[dict[str, dict[str, str | None]]]:
    yield {term: {"model": BUNDLED, "pretrained": None} for term in ("guidance", "identity")}


@pytest.mark.slow
def test_every_way_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "random_clips", bundled_clips)
    monkeypatch.setattr(training, "cpu_has_bfloat16", lambda: True)
    rows = {row["way"]: row for row in training.measure(48, 2, 1, torch.device("cpu"))}
    published, paper, small = (
        rows[f"{way}, float32"] for way in ("published", "paper's network", "small view")
    )
    assert list(rows) == [
        "published, float32",
        "paper's network, float32",
        "paper's network, bfloat16",
        "small view, float32",
        "small view, bfloat16",
    ]
    assert rows["paper's network, bfloat16"]["loss"] == pytest.approx(published["loss"], rel=0.02)
    assert rows["paper's network, bfloat16"]["loss"] != paper["loss"]
    assert published["ratio"] == 1
    assert paper["loss"] == pytest.approx(published["loss"], rel=1e-4)
    for row in (published, paper, small):
        assert row["floor"] > 0 and row["seconds"] > 0 and row["peak_memory"] > 10**6
    # The network that sees small computes less, and both of ours ask CLIP about the same.
    assert small["operations"] < paper["operations"]
    assert paper["ratio"] == pytest.approx(published["seconds"] / paper["seconds"])


@pytest.mark.slow
def test_photographs_a_second() -> None:
    found = photos_per_second(32, 2, seconds=0)
    assert found["photos_per_second"] > 0 and found["workers"] >= 1
