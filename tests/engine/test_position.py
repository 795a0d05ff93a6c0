import json
import math
from typing import Any

import pytest

from rave_mm.engine.position import Outcome, Position
from rave_mm.engine.schedule import Phase, Prolong, Restart, Rounds, Schedule


def position(*parts: Phase | Rounds) -> Position:
    return Position(Schedule(parts))


def advance(place: Position, *losses: float) -> list[Outcome]:
    return [place.advance({"loss": loss}) for loss in losses]


def where(place: Position) -> tuple[str, int, int]:
    return place.phase.name, place.step.round, place.iteration


def test_phases_and_rounds_follow_one_another() -> None:
    turns = Rounds(2, (Phase("b", 1, ("x",)), Phase("c", 2, ("x",))))
    place = position(Phase("a", 2, ("x",)), turns)
    seen, left = [], []
    while not place.finished:
        seen.append(where(place))
        left.append(place.remaining)
        place.advance({})
    assert seen == [
        ("a", 0, 0),
        ("a", 0, 1),
        ("b", 1, 0),
        ("c", 1, 0),
        ("c", 1, 1),
        ("b", 2, 0),
        ("c", 2, 0),
        ("c", 2, 1),
    ]
    assert left == [8, 7, 6, 5, 4, 3, 2, 1]
    assert where(place) == ("c", 2, 2)


def test_the_end_of_a_phase_is_told() -> None:
    place = position(Phase("a", 2, ("x",)), Phase("b", 1, ("x",)))
    first, second, third = (place.advance({}) for _ in range(3))
    assert first == Outcome()
    assert second == Outcome(ends=True, report="phase a ends after 2 iterations")
    assert third.ends


PROLONGED = Phase("a", 3, ("x",), prolong=Prolong("loss", 10.0, 2, at_most=5, window=2))


def test_prolonged_while_the_mean_is_above() -> None:
    place = position(PROLONGED)
    *_, third = advance(place, 0, 12, 9)  # mean of the last two: 10.5
    assert third == Outcome(
        report="phase a goes on for 2 iterations (2 of at most 5): the mean loss of 2 iterations "
        "is 10.5, above 10"
    )
    assert place.remaining == 2
    *_, fifth = advance(place, 30, -10)  # 10 is not above 10
    assert fifth.ends
    assert place.finished


def test_prolonged_by_no_more_than_at_most() -> None:
    place = position(PROLONGED)
    outcomes = advance(place, *[11.0] * 8)
    assert [outcome.ends for outcome in outcomes] == [False] * 7 + [True]
    assert place.prolonged == 5  # 2, 2, and the 1 that was left
    assert outcomes[-1].report == (
        "phase a ends after 8 iterations, prolonged as far as it may be: the mean loss of 2 "
        "iterations is 11"
    )


def test_a_round_prolonged_leaves_the_next_as_planned() -> None:
    place = position(Rounds(2, (PROLONGED,)))
    advance(place, 11, 11, 11)
    assert place.remaining == 2 + 3
    advance(place, 0, 0)
    assert where(place) == ("a", 2, 0)
    assert (place.prolonged, place.remaining) == (0, 3)


RESTARTED = Phase("a", 6, ("x",), restart=Restart("loss", 8.0, after=3, window=2, at_most=1))


def test_starts_anew_where_the_mean_is_below() -> None:
    place = position(RESTARTED)
    outcomes = advance(place, 0, 0, 7)
    assert outcomes[:2] == [Outcome(), Outcome()]  # not before the third
    assert outcomes[2] == Outcome(
        restarts=True,
        report="phase a starts anew (restart 1 of at most 1): the mean loss of 2 iterations is "
        "3.5, below 8",
    )
    assert (place.iteration, place.restarts, place.remaining) == (0, 1, 6)
    # What came before does not count, and 8 is not below 8.
    assert advance(place, 0, 8, 8) == [Outcome()] * 3


def test_a_collapse_is_noticed_later_as_well() -> None:
    assert [outcome.restarts for outcome in advance(position(RESTARTED), 9, 9, 9, 9, 0)] == [
        *[False] * 4,
        True,
    ]


def test_too_many_collapses_end_training() -> None:
    place = position(RESTARTED)
    advance(place, 0, 0, 0, 0, 0)
    with pytest.raises(
        RuntimeError,
        match="phase a collapsed again after 1 restarts: the mean loss of 2 iterations is 0, below "
        "8. Lower the learning rate",
    ):
        advance(place, 0)


def test_the_best_is_the_least_mean_of_a_window() -> None:
    place = position(Phase("a", 33, ("x",), keep_best="loss"))
    early = advance(place, 0, *[10.0] * 28)
    assert not any(outcome.is_best for outcome in early)  # no window of 30 yet
    # Means of 30: 290 / 30, then without the 0: 299 / 30, 296 / 30, 284 / 30.
    assert [o.is_best for o in advance(place, 10, 9, 7, -2)] == [True, False, False, True]
    place = position(Phase("b", 3, ("x",), keep_best="loss"), Phase("c", 1, ("x",)))
    # Shorter than a window: the mean over the phase.
    outcomes = advance(place, 1, 2, 6)
    assert [outcome.is_best for outcome in outcomes] == [False, False, True]
    assert outcomes[-1].report.endswith("with its best weights: mean loss 3")
    assert place.best is None  # of the next phase


def test_a_value_that_is_not_logged_is_told() -> None:
    place = position(Phase("a", 3, ("x",), keep_best="psnr"))
    with pytest.raises(
        ValueError, match="phase a: got a condition on 'psnr', expected one of .*: loss, loss_x"
    ):
        place.advance({"loss_x": 1.0, "loss": 1.0})
    with pytest.raises(FloatingPointError, match="phase a: psnr, .* is not a number"):
        place.advance({"psnr": math.nan})


EVERYTHING = (
    Phase(
        "a",
        4,
        ("x",),
        prolong=Prolong("loss", 1.0, 2, at_most=3, window=3),
        restart=Restart("loss", 0.3, after=2, window=2, at_most=9),
        keep_best="loss",
    ),
    Phase("b", 2, ("x",)),
)


@pytest.mark.parametrize("stop", range(16))
def test_a_state_that_went_through_json_goes_on_alike(stop: int) -> None:
    losses = [0.5, 0.05, 2, 0.7, 0.4, 3, 0.5, 1.5, 0.9, 1, 1, 0.2, 0.2, 4, 4, 4, 4, 4, 4, 4, 4, 4]
    whole, part = position(Rounds(2, EVERYTHING)), position(Rounds(2, EVERYTHING))
    advance(whole, *losses[:stop])
    part.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for loss in losses[stop:]:
        assert part.remaining == whole.remaining
        if whole.finished:
            break
        assert part.advance({"loss": loss}) == whole.advance({"loss": loss})
        assert part.state_dict() == whole.state_dict()
    assert whole.finished


def test_a_finished_run_goes_on_with_a_longer_schedule() -> None:
    place = position(Phase("a", 2, ("x",)))
    advance(place, 1, 1)
    longer = position(Phase("a", 5, ("x",)), Phase("b", 1, ("x",)))
    longer.load_state_dict(place.state_dict())
    assert (where(longer), longer.remaining) == (("a", 0, 2), 4)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            [Phase("b", 4, ("x",)), Phase("c", 1, ("x",))],
            "the checkpoint is in phase 'a', round 0, expected one of this schedule: b; c. Resume",
        ),
        (
            [Rounds(9, (Phase("a", 4, ("x",)),))],
            "expected one of .*: a, round 1; a, round 2; .*; ... a, round 9. Resume",
        ),
        (
            [Phase("a", 2, ("x",)), Phase("b", 1, ("x",))],
            "done 2 iterations of phase a, but this schedule gives it 2: give it more",
        ),
        ([Phase("a", 1, ("x",))], "done 2 iterations of phase a, but this schedule gives it 1"),
    ],
)
def test_another_schedule_is_refused(parts: list[Any], told: str) -> None:
    place = position(Phase("a", 4, ("x",)))
    advance(place, 1, 1)
    with pytest.raises(ValueError, match=told):
        position(*parts).load_state_dict(place.state_dict())
