"""Schedules and settings, whatever they are."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from rave_mm.engine.changed_settings import changed_settings
from rave_mm.engine.phase import Phase, Prolong, Restart
from rave_mm.engine.position import Position
from rave_mm.engine.schedule import Rounds, Schedule

counts = st.integers(1, 6)


@st.composite
def phases(draw: st.DrawFn, name: str) -> Phase:
    iterations = draw(counts)
    prolong = st.builds(Prolong, st.just("loss"), st.floats(0, 1), counts, counts, counts)
    after = st.integers(1, iterations)
    restart = st.builds(Restart, st.just("psnr"), st.floats(0, 1), after, counts, counts)
    return Phase(
        name,
        iterations,
        ("x",),
        prolong=draw(st.none() | prolong),
        restart=draw(st.none() | restart),
        keep_best=draw(st.sampled_from([None, "loss"])),
    )


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    parts: list[Phase | Rounds] = []
    for part in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            parts.append(draw(phases(f"{part}")))
        else:
            within = [draw(phases(f"{part}.{turn}")) for turn in range(draw(st.integers(1, 2)))]
            parts.append(Rounds(draw(st.integers(1, 3)), tuple(within)))
    return Schedule(parts)


def walk(place: Position, values: list[tuple[float, float]], steps: int) -> list[Any]:
    seen: list[Any] = []
    for step in range(steps):
        if place.finished:
            break
        loss, psnr = values[step % len(values)]
        try:
            outcome = place.advance({"loss": loss, "psnr": psnr})
        except RuntimeError as error:  # it collapsed once more than it may
            seen.append(str(error))
            break
        seen.append((outcome, place.step, place.iteration, place.remaining))
    return seen


numbers = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20)


@settings(max_examples=100)
@given(schedules(), numbers, st.integers(0, 60))
def test_a_place_that_is_stored_goes_on_as_if_it_had_not_been(
    schedule: Schedule, values: list[tuple[float, float]], before: int
) -> None:
    whole, first = Position(schedule), Position(schedule)
    seen = walk(whole, values, 400)
    begun = walk(first, values, before)
    assert seen[: len(begun)] == begun
    if len(begun) < before or first.finished:
        return
    second = Position(schedule)
    second.load_state_dict(first.state_dict())
    turned = values[before % len(values) :] + values[: before % len(values)]
    assert walk(second, turned, 400 - before) == seen[before:]


@given(schedules())
def test_without_conditions_a_schedule_takes_what_its_timeline_says(schedule: Schedule) -> None:
    plain = Schedule(
        [
            Rounds(part.rounds, tuple(Phase(p.name, p.iterations, p.losses) for p in part.phases))
            if isinstance(part, Rounds)
            else Phase(part.name, part.iterations, part.losses)
            for part in schedule.parts
        ]
    )
    place, left = Position(plain), []
    while not place.finished:
        left.append(place.remaining)
        place.advance({})
    assert left == list(range(plain.iterations, 0, -1))
    assert f"{plain.iterations:>7}" in plain.timeline().splitlines()[-1] or place.step.round


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.from_regex(r"[a-z]{2,6}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.dictionaries(st.from_regex(r"x[a-z]{2,6}", fullmatch=True), plain_values, max_size=4))
def test_a_config_that_is_stored_and_read_has_not_changed(values: dict[str, Any]) -> None:
    config = Config(values)
    assert changed_settings(config.pretty_text, config) == {}
