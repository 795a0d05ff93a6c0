"""How cost grows: each kind of work is done and timed, in small."""

import os

import pytest
import torch

from rave_mm.benchmark import growth
from rave_mm.benchmark.growth import Point
from tests import processes  # noqa: F401 - what new processes have imported already
from tests.benchmark.test_training import bundled_clips


def test_the_exponent_is_of_the_last_two_amounts() -> None:
    points = [Point(1, 3.0), Point(10, 0.5), Point(100, 50.0)]
    assert growth.exponent(points) == pytest.approx(2)
    assert growth.exponent([Point(1, 3.0), Point(10, 3.0)]) == pytest.approx(0)


@pytest.mark.slow
def test_a_step_is_timed_for_each_size_and_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "random_clips", bundled_clips)
    series = growth.step_points([32, 96], [1, 2], torch.device("cpu"))
    assert list(series) == ["paper's network", "small view"]
    for points in series.values():
        amounts = [point.amount * 1e6 for point in points]
        assert amounts == pytest.approx([32**2, 2 * 32**2, 96**2, 2 * 96**2])
    # 18 times the pixels, all of which the paper's network computes with.
    first, *_, last = series["paper's network"]
    assert last.seconds > first.seconds


@pytest.mark.slow
def test_processes_train_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "random_clips", bundled_clips)
    (two,) = growth.process_points([2], size=32, batch=1)
    assert two.amount == 2 and two.seconds > 0


def test_enhancing_is_the_whole_command() -> None:
    small, large = growth.enhancing_points([0.01, 0.02])
    assert (small.amount, large.amount) == (0.01, 0.02)
    for point in (small, large):
        assert point.seconds > 0.1
        assert point.peak_memory is not None and 3e7 < point.peak_memory < 2e9


def test_a_command_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth.sys, "executable", "/bin/ls")
    with pytest.raises(RuntimeError, match="ls: "):
        growth.enhancing_points([0.01])


def test_photographs_are_embedded_anew_and_the_cache_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
    two, three = growth.photo_points([2, 3])
    assert (two.amount, three.amount) == (2, 3) and two.seconds > 0
    assert os.environ["XDG_CACHE_HOME"] == "/nowhere"
    monkeypatch.delenv("XDG_CACHE_HOME")
    growth.photo_points([1])
    assert "XDG_CACHE_HOME" not in os.environ


def test_words_are_embedded() -> None:
    few, more = growth.token_points([3, 600])
    assert (few.amount, more.amount) == (3, 600) and more.seconds > 0
