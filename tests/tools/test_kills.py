"""A training that is killed goes on as if nothing had happened; see also kills.py."""

from pathlib import Path

import pytest

from tests.tools.kills import METHODS, trial, uninterrupted


@pytest.mark.slow
def test_killed_while_it_saves_and_at_any_moment(work: Path) -> None:
    config = METHODS["RAVE"]
    wanted = uninterrupted(config, work / "uninterrupted")
    kills, wrong = trial(config, work / "killed", wanted, seed=0, most=2)
    assert not wrong
    assert kills
