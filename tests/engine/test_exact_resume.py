"""A resumed run is, to the last bit, the run that never stopped."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from torch import Tensor

from rave_mm.engine.exact_resume import KEY
from tests.engine.tiny import TWO_OPTIMIZERS, Tiny, loader, make_runner

ONE = {"name": "one", "iterations": 3, "losses": ["fit"]}
PHASES: list[dict[str, Any]] = [
    {**ONE, "restart": {"value": "psnr", "below": 5, "after": 2, "window": 2}},
    {
        "rounds": 2,
        "phases": [
            {
                "name": "network",
                "iterations": 4,
                "losses": ["fit", "far"],
                "prolong": {
                    "value": "loss",
                    "above": 0.0,
                    "iterations": 2,
                    "at_most": 3,
                    "window": 3,
                },
                "keep_best": "loss_fit",
            },
            {
                "name": "pair turn",
                "iterations": 3,
                "losses": ["far"],
                "trains": "pair",
                "loader": "prompts",
                "keep_best": "loss_far",
            },
        ],
    },
]
# One that collapses after 2 iterations, and two rounds of 4 + 3 prolonged + 3.
ENDS = {"restart": 2, "one": 5, "network 1": 12, "pair turn 1": 15, "network 2": 22, "end": 25}
FIRST, LAST = [1, 3, 6, 13, 16, 23], [2, 4, 5, 11, 12, 14, 15, 21, 22, 24]
WITHIN = [8, 9, 10, 18, 19, 20]


def runner_in(work_dir: Path, model: Tiny | None = None, **settings: Any) -> Runner:
    return make_runner(
        work_dir,
        PHASES,
        {"prompts": loader(3, workers=1, count=4, first=100)},
        train_dataloader=loader(2, workers=1),
        optim_wrapper=TWO_OPTIMIZERS,
        model=model or Tiny(noise=0.1),
        param_scheduler=[{"type": "ExponentialLR", "gamma": 0.99, "by_epoch": False}],
        **settings,
    )


def content(checkpoint: Path) -> dict[str, Any]:
    """All but when it was written and what was logged until then."""
    loaded = torch.load(checkpoint, weights_only=True)
    return {name: part for name, part in loaded.items() if name not in ("meta", "message_hub")}


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two nested structures differ, to the last bit."""
    if isinstance(one, Tensor):
        alike = isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
        return [] if alike else [where]
    if isinstance(one, Mapping):
        if not isinstance(other, Mapping) or set(one) != set(other):
            return [f"{where} keys"]
        return [d for key in one for d in differences(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [f"{where} length"]
        pairs = zip(count(), one, other, strict=False)
        return [d for index, a, b in pairs for d in differences(a, b, f"{where}.{index}")]
    return [] if one == other else [where]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Tensor]]:
    """The folder with a checkpoint of each iteration, and the batches that were seen."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    runner = runner_in(folder)
    runner.train()
    assert runner.iter == ENDS["end"]
    return folder, runner.model.seen


def test_all_that_can_happen_happens(uninterrupted: tuple[Path, list[Tensor]]) -> None:
    folder, seen = uninterrupted
    states = {k: content(folder / f"iter_{k}.pth") for k in range(1, 26)}
    places = {k: state[KEY]["position"] for k, state in states.items()}
    assert places[ENDS["restart"]]["restarts"] == 1
    assert places[ENDS["restart"]]["iteration"] == 0
    for name, end in ENDS.items():
        if name not in ("restart", "end"):
            assert places[end]["iteration"] == 0, name
    assert places[11]["prolonged"] == 3
    assert (places[19]["phase"], places[19]["round"], places[19]["prolonged"]) == ("network", 2, 2)
    # The network is best after four iterations of seven, and gets these weights back.
    trained = {k: state["state_dict"]["generator.layer.weight"] for k, state in states.items()}
    assert torch.equal(states[11][KEY]["best"]["layer.weight"], trained[9])
    assert not torch.equal(trained[11], trained[9])
    assert torch.equal(trained[12], trained[9])
    assert states[12][KEY]["best"] is None
    assert len({tuple(batch[:, 1].tolist()) for batch in seen}) == 25
    assert states[25][KEY]["samples"] == {"train": 2 * 19, "prompts": 3 * 6}


@pytest.mark.parametrize("stop", sorted(FIRST + LAST + WITHIN))
def test_resumed_as_if_never_stopped(
    stop: int, uninterrupted: tuple[Path, list[Tensor]], tmp_path: Path
) -> None:
    folder, seen = uninterrupted
    # What happened before in this process must not matter.
    torch.manual_seed(stop)
    np.random.seed(stop)
    model = Tiny(noise=0.1)
    runner = runner_in(tmp_path, model, resume=True, load_from=str(folder / f"iter_{stop}.pth"))
    runner.train()
    assert differences(seen[stop:], model.seen, "seen") == []
    for k in range(stop + 1, ENDS["end"] + 1):
        name = f"iter_{k}.pth"
        assert differences(content(folder / name), content(tmp_path / name), name) == []


def test_workers_do_not_matter(uninterrupted: tuple[Path, list[Tensor]], tmp_path: Path) -> None:
    folder, seen = uninterrupted
    runner = make_runner(
        tmp_path,
        PHASES,
        {"prompts": loader(3, count=4, first=100)},
        train_dataloader=loader(2, workers=2),
        optim_wrapper=TWO_OPTIMIZERS,
        model=Tiny(noise=0.1),
        param_scheduler=[{"type": "ExponentialLR", "gamma": 0.99, "by_epoch": False}],
    )
    runner.train()
    assert differences(seen, runner.model.seen) == []
    name = "iter_25.pth"
    assert differences(content(folder / name), content(tmp_path / name)) == []


def test_the_seed_of_the_first_run_holds(
    uninterrupted: tuple[Path, list[Tensor]], tmp_path: Path
) -> None:
    """Also where the config has none, so that each run draws one."""
    folder, seen = uninterrupted
    model = Tiny(noise=0.1)
    load_from = str(folder / "iter_16.pth")
    runner_in(tmp_path, model, resume=True, load_from=load_from, randomness={"seed": None}).train()
    assert differences(seen[16:], model.seen) == []


def test_another_seed_is_another_run(
    uninterrupted: tuple[Path, list[Tensor]], tmp_path: Path
) -> None:
    _, seen = uninterrupted
    runner = make_runner(
        tmp_path, [ONE], train_dataloader=loader(2), model=Tiny(), randomness={"seed": 8}
    )
    runner.train()
    assert len(differences(seen[:3], runner.model.seen)) == 3


def test_weights_alone_start_from_the_beginning(
    uninterrupted: tuple[Path, list[Tensor]], tmp_path: Path
) -> None:
    folder, seen = uninterrupted
    runner = runner_in(tmp_path, load_from=str(folder / "iter_20.pth"))
    runner.train()
    # It has been drawn anew once, so it does not count as collapsed.
    assert runner.iter == ENDS["end"] - ENDS["restart"]
    assert differences(seen[:5], runner.model.seen[:5]) == []


def test_a_checkpoint_of_another_loop_is_refused(
    uninterrupted: tuple[Path, list[Tensor]], tmp_path: Path
) -> None:
    checkpoint = torch.load(uninterrupted[0] / "iter_3.pth")
    del checkpoint[KEY]
    torch.save(checkpoint, tmp_path / "old.pth")
    with pytest.raises(ValueError, match="no 'phased_training': .* load_from=CHECKPOINT without"):
        runner_in(tmp_path, resume=True, load_from=str(tmp_path / "old.pth")).train()
    runner = runner_in(tmp_path, load_from=str(tmp_path / "old.pth"))
    runner.train()
    assert runner.iter > 0
