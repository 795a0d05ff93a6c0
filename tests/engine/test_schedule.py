from typing import Any

import pytest

from rave_mm.engine.schedule import Phase, Prolong, Restart, Rounds, Schedule, Step, read_schedule

ONE = {"name": "a", "iterations": 2, "losses": ["same"]}
CLIP_LIT = [
    {
        "name": "initialisation",
        "trains": "pair",
        "losses": ["initialisation"],
        "iterations": 80,
        "loader": "prompts",
    },
    {
        "name": "reconstruction",
        "losses": ["reconstruction"],
        "iterations": 100,
        "restart": {"value": "psnr", "below": 8.0, "after": 50},
    },
    {
        "rounds": 13,
        "phases": [
            {
                "name": "enhancement",
                "losses": ["guidance", "identity"],
                "iterations": 210,
                "prolong": {"value": "loss", "above": 90, "iterations": 6, "at_most": 600},
                "keep_best": "loss",
            },
            {
                "name": "refinement",
                "trains": "pair",
                "losses": ["ranking"],
                "iterations": 100,
                "loader": "prompts",
            },
        ],
    },
]


def test_a_schedule_is_read() -> None:
    schedule = read_schedule(CLIP_LIT)
    prompts, reconstruction, rounds = schedule.parts
    assert prompts == Phase("initialisation", 80, ("initialisation",), "pair", "prompts")
    assert reconstruction == Phase(
        "reconstruction",
        100,
        ("reconstruction",),
        trains="generator",
        loader="train",
        restart=Restart("psnr", 8.0, 50, window=30, at_most=5),
    )
    assert isinstance(rounds, Rounds)
    assert rounds.phases[0].prolong == Prolong("loss", 90, 6, 600, window=30)
    assert rounds.phases[0].keep_best == "loss"
    assert rounds.phases[1].keep_best is None


def test_rounds_take_turns() -> None:
    schedule = read_schedule(CLIP_LIT)
    enhancement, refinement = schedule.phases[2:]
    assert len(schedule.steps) == 2 + 13 * 2
    assert schedule.steps[2:6] == (
        Step(enhancement, 1),
        Step(refinement, 1),
        Step(enhancement, 2),
        Step(refinement, 2),
    )
    assert str(schedule.steps[1]) == "reconstruction"
    assert str(schedule.steps[-1]) == "refinement, round 13"
    assert schedule.iterations == 180 + 13 * 310
    assert [schedule.number(phase) for phase in schedule.phases] == [1, 2, 3, 4]


def test_timeline() -> None:
    assert read_schedule(CLIP_LIT).timeline().split("\n") == [
        "        0 -      80  1 initialisation: trains pair with initialisation on prompts",
        "       80 -     180  2 reconstruction: trains generator with reconstruction on train; "
        "anew if psnr < 8 from iteration 50 on (at most 5 times)",
        "      180 -    4210  x 13 rounds of",
        "        180 -     390  3 enhancement: trains generator with guidance + identity on train; "
        "6 more while loss > 90 (at most 600 more); keeps the best by loss",
        "        390 -     490  4 refinement: trains pair with ranking on prompts",
    ]
    after = Schedule([Rounds(3, (Phase("turn", 2, ("a",)),)), Phase("last", 4, ("b",))])
    assert [line.split("  ")[-1] for line in after.timeline().split("\n")] == [
        "x 3 rounds of",
        "1 turn: trains generator with a on train",
        "2 last: trains generator with b on train",
    ]
    assert after.timeline().split("\n")[-1].startswith("        6 -      10  2 last")


def with_(name: str, **settings: Any) -> list[dict[str, Any]]:
    valid = {
        "prolong": {"value": "loss", "above": 1, "iterations": 1, "at_most": 2},
        "restart": {"value": "psnr", "below": 1, "after": 1},
    }
    return [{**ONE, name: {**valid[name], **settings}}]


@pytest.mark.parametrize(
    ("phases", "told"),
    [
        ([], "phases: got none, expected at least one"),
        ({"name": "a"}, "phases: got {'name': 'a'}, expected a list"),
        (["a"], "phases: got 'a', expected a dict with name, iterations, losses"),
        ([{**ONE, "iterations": 0}], "phase 'a': got iterations=0, expected an integer, 1 or more"),
        ([{**ONE, "iterations": 2.5}], "phase 'a': got iterations=2.5, expected an integer"),
        ([{**ONE, "iterations": True}], "phase 'a': got iterations=True, expected an integer"),
        (
            [{**ONE, "lr": 1}],
            "phase 'a': got the keys name, iterations, losses, lr, expected name, iterations, "
            "losses and, if wanted, trains, loader, prolong, restart, keep_best",
        ),
        (
            [{"name": "a", "losses": ["same"]}],
            "phase 'a': got the keys name, losses, expected name, iterations, losses",
        ),
        ([{**ONE, "losses": "same"}], "phase 'a': losses: got 'same', expected a list"),
        ([{**ONE, "losses": []}], r"phase 'a': got losses=\(\), expected a list of names"),
        ([{**ONE, "name": 3}], "phase 3: got name=3, expected a name"),
        ([{**ONE, "trains": ["pair"]}], r"phase 'a': got trains=\['pair'\], expected a name"),
        ([{**ONE, "loader": ""}], "phase 'a': got loader='', expected a name"),
        ([{**ONE, "keep_best": True}], "phase 'a': got keep_best=True, expected a name"),
        (
            [{**ONE, "keep_best": "loss_other"}],
            r"phase 'a': got a condition on 'loss_other', expected 'loss' or .* \(loss_same\)",
        ),
        ([ONE, ONE], r"phases: got the names \['a', 'a'\], expected each name once"),
        (
            [ONE, {"rounds": 2, "phases": [ONE]}],
            r"phases: got the names \['a', 'a'\], expected each name once",
        ),
        ([{"rounds": 2}], "rounds: got the keys rounds, expected rounds, phases"),
        ([{"rounds": 0, "phases": [ONE]}], "rounds: got rounds=0, expected an integer"),
        ([{"rounds": 2, "phases": []}], "rounds: got no phases, expected at least one"),
        ([{"rounds": 2, "phases": ONE}], "rounds: phases: got {.*}, expected a list"),
        (
            [{"rounds": 2, "phases": [{"rounds": 2, "phases": [ONE]}]}],
            "phase None: got the keys rounds, phases, expected name, iterations, losses",
        ),
        ([{**ONE, "prolong": 3}], "phase 'a': prolong: got 3, expected a dict with value, above"),
        (with_("prolong", above="90"), "prolong: got above='90', expected a number"),
        (with_("prolong", at_most=None), "prolong: got at_most=None, expected an integer"),
        (
            with_("prolong", below=3),
            "phase 'a': prolong: got the keys value, above, iterations, at_most, below, expected "
            "value, above, iterations, at_most and, if wanted, window",
        ),
        (with_("restart", value=1), "restart: got value=1, expected a name"),
        (with_("restart", window=0), "restart: got window=0, expected an integer, 1 or more"),
        (
            with_("restart", after=3),
            "phase 'a': got a restart after 3 iterations, expected at most the 2",
        ),
    ],
)
def test_a_wrong_schedule_is_refused(phases: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_schedule(phases)
