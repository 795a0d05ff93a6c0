import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmagic.registry import LOOPS
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.runner import Runner
from torch import Tensor

from rave_mm.engine.phase import Phase
from rave_mm.engine.phased_train_loop import PhasedTrainLoop
from tests.engine.tiny import (
    ADAM,
    ONE,
    PAIR,
    TWO_OPTIMIZERS,
    Tiny,
    loader,
    make_runner,
    text,
    train,
    weights,
)

NEVER_BELOW = {"value": "psnr", "below": -1.0, "after": 1}
ANEW = {**ONE, "restart": {"value": "psnr", "below": 5.0, "after": 2, "window": 1, "at_most": 1}}


def same(one: dict[str, Tensor], other: dict[str, Tensor], module: str) -> bool:
    names = [name for name in one if name.startswith(module)]
    return all(torch.equal(one[name], other[name]) for name in names)


def scalars(runner: Runner) -> list[dict[str, float]]:
    """What was logged for each iteration, as it is on disk."""
    file = Path(runner.log_dir) / "vis_data" / "scalars.json"
    return [json.loads(line) for line in file.read_text().splitlines()]


def losses(runner: Runner) -> list[set[str]]:
    return [{name for name in line if name.startswith("loss")} for line in scalars(runner)]


def test_each_step_trains_its_phase(tmp_path: Path) -> None:
    phases = [{**ONE, "losses": ["fit", "far"]}, {"rounds": 2, "phases": [PAIR]}]
    runner, noter = train(tmp_path, phases, optim_wrapper=TWO_OPTIMIZERS)
    assert runner.iter == 6
    assert [step["losses"] for step in noter.steps] == [("fit", "far")] * 2 + [("far",)] * 4
    network = ["generator.layer.weight", "generator.layer.bias"]
    assert [step["learns"] for step in noter.steps] == [network] * 2 + [["pair.values"]] * 4
    start, middle, end = (
        noter.steps[0]["weights"],
        noter.steps[2]["weights"],
        weights(runner.model),
    )
    assert same(start, middle, "pair")
    assert not same(start, middle, "generator")
    assert same(middle, end, "generator")
    assert not same(middle, end, "pair")


def test_one_optimizer_serves_all_phases(tmp_path: Path) -> None:
    runner, noter = train(tmp_path, [ONE, PAIR])
    middle, end = noter.steps[2]["weights"], weights(runner.model)
    assert not same(noter.steps[0]["weights"], middle, "generator")
    assert same(middle, end, "generator")  # although Adam knows its momentum
    assert not same(middle, end, "pair")


def test_each_module_has_the_optimizer_of_its_name(tmp_path: Path) -> None:
    runner, _ = train(tmp_path, [ONE, PAIR], optim_wrapper=TWO_OPTIMIZERS)
    wrapper = runner.optim_wrapper
    assert isinstance(wrapper, OptimWrapperDict)
    rates = {name: rate for name, (rate,) in wrapper.get_lr().items()}
    assert rates == {"generator.lr": 0.1, "pair.lr": 0.3}
    for name, module in runner.model.named_children():
        if name in wrapper:
            assert set(wrapper[name].optimizer.state) == set(module.parameters())
            assert {int(s["step"]) for s in wrapper[name].optimizer.state.values()} == {2}


def test_mixed_precision_with_two_optimizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amp_optimizer_wrapper, "is_cuda_available", lambda: True)
    mixed = {"type": "AmpOptimWrapper", "dtype": "bfloat16", "loss_scale": {"enabled": False}}
    two = {
        name: {**part, **mixed} if isinstance(part, dict) else part
        for name, part in TWO_OPTIMIZERS.items()
    }
    runner, _ = train(tmp_path, [ONE, PAIR], optim_wrapper=two)
    assert all(isinstance(part, AmpOptimWrapper) for part in runner.optim_wrapper.values())
    assert runner.iter == 4


def test_gradients_are_accumulated_within_a_phase(tmp_path: Path) -> None:
    """Three iterations with steps after each second: the third makes one of its own."""
    three = {**ONE, "iterations": 3}
    twice = {**ADAM, "accumulative_counts": 2}
    runner, noter = train(tmp_path, [three, {**three, "name": "two"}], optim_wrapper=twice)
    all_weights = [step["weights"] for step in noter.steps] + [weights(runner.model)]
    moved = [
        not same(a, b, "generator") for a, b in zip(all_weights, all_weights[1:], strict=False)
    ]
    assert moved == [False, True, True] * 2


def test_batches_come_from_the_loader_of_the_phase(tmp_path: Path) -> None:
    prompts = {**PAIR, "loader": "prompts"}
    runner, _ = train(
        tmp_path,
        [{"rounds": 2, "phases": [ONE, prompts]}],
        {"prompts": loader(3, first=100)},
    )
    batches = [batch[:, 0] for batch in runner.model.seen]
    assert [len(batch) for batch in batches] == [2, 2, 3, 3] * 2
    assert [bool((batch >= 100).all()) for batch in batches] == [False, False, True, True] * 2
    # Each goes on where it was: five items, in two rounds.
    assert sorted(torch.cat(batches[0:2] + batches[4:5]).tolist()[:5]) == [0, 1, 2, 3, 4]


class WithHooks(Tiny):
    """Is told when phases start and finish."""

    def check_phase(self, phase: Phase) -> None:
        if phase.iterations == 77:
            raise ValueError("got 77 iterations, expected another number")

    def start_phase(self, phase: Phase) -> None:
        self.activate_losses(phase.losses)
        self.calls.append(f"start {phase.name}")

    def finish_phase(self, phase: Phase) -> None:
        self.calls.append(f"finish {phase.name}")


def test_the_model_is_told_when_phases_start_and_finish(tmp_path: Path) -> None:
    phases = [ANEW, {"rounds": 2, "phases": [PAIR]}]
    runner, noter = train(tmp_path, phases, model=WithHooks())
    assert runner.model.calls == [
        *("start one", "start one", "finish one"),
        *("start pair turn", "finish pair turn") * 2,
    ]
    again = make_runner(
        tmp_path, phases, model=WithHooks(), resume=True, load_from=str(tmp_path / "iter_5.pth")
    )
    again.train()
    assert again.model.calls == ["start pair turn", "finish pair turn"] * 2


def test_a_prolonged_phase_extends_training(tmp_path: Path) -> None:
    prolong = {"value": "loss", "above": 0.0, "iterations": 2, "at_most": 3}
    runner, noter = train(tmp_path, [{**ONE, "prolong": prolong}, PAIR])
    assert runner.iter == 2 + 3 + 2
    assert noter.ends == [4, 6, 6, 7, 7, 7, 7]
    assert "iteration 2: phase one goes on for 2 iterations (2 of at most 3)" in text(runner)
    assert "Iter(train) [7/7]  phase pair turn  lr" in text(runner)


def test_the_best_weights_come_back_at_the_end(tmp_path: Path) -> None:
    """With steps this long, each loss is higher than the one before."""
    wild = {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 9.0}}
    phase = {**ONE, "iterations": 33, "keep_best": "loss_fit"}
    runner, noter = train(tmp_path, [phase, PAIR], optim_wrapper=wild, train_dataloader=loader(5))
    values = [line["loss_fit"] for line in scalars(runner)[:33]]
    assert values == sorted(values)
    assert same(noter.steps[33]["weights"], noter.steps[30]["weights"], "generator")
    assert not same(noter.steps[32]["weights"], noter.steps[30]["weights"], "generator")
    saved = torch.load(tmp_path / "iter_33.pth")["state_dict"]
    assert same(saved, noter.steps[30]["weights"], "generator")


def test_a_collapsed_network_starts_anew(tmp_path: Path) -> None:
    runner, noter = train(tmp_path, [ANEW], optim_wrapper=TWO_OPTIMIZERS)
    assert runner.iter == 4
    first, second = (noter.steps[index]["weights"] for index in (0, 2))
    assert second["generator.resets"] == 1
    assert not same(first, second, "generator.layer.weight")
    state = runner.optim_wrapper["generator"].optimizer.state.values()
    assert [int(part["step"]) for part in state] == [2, 2]  # the first two are forgotten
    assert "iteration 2: phase one starts anew (restart 1 of at most 1)" in text(runner)
    repeated, _ = train(tmp_path / "again", [ANEW], optim_wrapper=TWO_OPTIMIZERS)
    assert same(weights(runner.model), weights(repeated.model), "")
    # With one optimizer for all, the pair's momentum stays.
    runner, _ = train(tmp_path / "one", [PAIR, ANEW])
    steps = {
        name: int(runner.optim_wrapper.optimizer.state[p]["step"])
        for name, p in runner.model.named_parameters()
    }
    assert set(steps.values()) == {2}


def test_each_restart_draws_other_weights(tmp_path: Path) -> None:
    restart = {**ANEW["restart"], "below": 25.0, "at_most": 5}  # type: ignore[dict-item]
    _, noter = train(tmp_path, [{**ANEW, "restart": restart}])
    starts = [noter.steps[i]["weights"]["generator.layer.bias"].tolist() for i in (0, 2, 4, 6)]
    assert len({tuple(start) for start in starts}) == 4
    assert len(noter.steps) == 8


def test_a_loss_is_logged_only_in_its_phases_and_averaged_within_one(tmp_path: Path) -> None:
    class Constant(Tiny):
        def forward(self, *arguments: Any, **settings: Any) -> dict[str, Tensor]:
            values = super().forward(*arguments, **settings)
            known = {"loss_fit": 1.0, "loss_far": 10.0 + len(self.seen)}
            return {n: 0 * v.sum() + known[n] for n, v in values.items() if n in known}

    turns = [{**ONE, "name": "a", "losses": ["far"]}, {**ONE, "name": "b"}]
    runner, _ = train(tmp_path, [{"rounds": 2, "phases": turns}], model=Constant())
    values = [{n: v for n, v in line.items() if "loss" in n} for line in scalars(runner)]
    one = {"loss": 1, "loss_fit": 1}
    assert values == [
        {"loss": 11, "loss_far": 11},
        {"loss": 11.5, "loss_far": 11.5},
        *(one, one),
        {"loss": 15, "loss_far": 15},
        {"loss": 15.5, "loss_far": 15.5},
        *(one, one),
    ]
    resumed = make_runner(
        tmp_path,
        [{"rounds": 2, "phases": turns}],
        model=Constant(),
        resume=True,
        load_from=str(tmp_path / "iter_5.pth"),
    )
    resumed.train()
    # Averaged with the iteration of this phase before the checkpoint.
    assert scalars(resumed)[-3]["loss_far"] == (15 + 11) / 2


def test_phase_and_round_stand_in_every_line(tmp_path: Path) -> None:
    phases = [ONE, {"rounds": 2, "phases": [{**PAIR, "iterations": 1}]}]
    runner, _ = train(tmp_path, phases)
    assert [(line["phase"], line["round"]) for line in scalars(runner)] == [
        *[(1, 0)] * 2,
        *[(2, 1), (2, 2)],
    ]
    lines = [line.split(" - ")[-1] for line in text(runner).split("\n") if "Iter(train)" in line]
    assert [line.split("  ")[:3] for line in lines] == [
        ["Iter(train) [1/4]", "phase one", "lr: 1.0000e-01"],
        ["Iter(train) [2/4]", "phase one", "lr: 1.0000e-01"],
        ["Iter(train) [3/4]", "phase pair turn, round 1", "lr: 1.0000e-01"],
        ["Iter(train) [4/4]", "phase pair turn, round 2", "lr: 1.0000e-01"],
    ]
    assert not any("phase:" in line or "round:" in line for line in lines)
    assert "schedule of 4 iterations:\n        0 -       2  1 one: trains generator" in text(runner)
    for told in ("0: phase one", "2: phase one ends", "3: phase pair turn, round 2"):
        assert f"iteration {told}" in text(runner)


def test_without_rounds_none_is_logged(tmp_path: Path) -> None:
    runner, _ = train(tmp_path, [ONE], log_processor={"type": "LogProcessor", "by_epoch": False})
    assert all(line["phase"] == 1 and "round" not in line for line in scalars(runner))
    assert "  phase: 1  " in text(runner)


@pytest.mark.parametrize(
    ("phase", "told"),
    [
        ({"losses": ["fitt"]}, "phase 'late': losses: got .*fitt.*, expected some of fit, far"),
        ({"trains": "pear"}, "phase 'late': got trains='pear', expected one of the model's .*pair"),
        ({"loader": "prompt"}, "'late': got loader='prompt', expected one of train, prompts"),
        (
            {"trains": "extra"},
            "phase 'late': got trains='extra', expected .* an optimizer for: generator, pair",
        ),
        (
            {"trains": "pair", "restart": NEVER_BELOW},
            r"phase 'late': got a restart of a Pair, expected .* reset_parameters\(\)",
        ),
    ],
)
def test_a_phase_that_cannot_run_is_told_before_training(
    tmp_path: Path, phase: dict[str, Any], told: str
) -> None:
    model = Tiny()
    model.extra = torch.nn.Linear(1, 1)
    late = {**ONE, "name": "late", **phase}
    runner = make_runner(
        tmp_path, [ONE, late], {"prompts": loader()}, optim_wrapper=TWO_OPTIMIZERS, model=model
    )
    with pytest.raises(ValueError, match=told):
        runner.train()
    assert model.seen == []


def test_the_model_may_refuse_a_phase(tmp_path: Path) -> None:
    late = {**ONE, "name": "late", "iterations": 77}
    runner = make_runner(tmp_path, [ONE, late], model=WithHooks())
    with pytest.raises(ValueError, match="phase 'late': got 77 iterations"):
        runner.train()
    assert runner.model.seen == []


def test_a_phase_with_nothing_to_train_is_told(tmp_path: Path) -> None:
    model = Tiny()
    model.pair.requires_grad_(False)
    with pytest.raises(ValueError, match="phase 'pair turn': pair has nothing to train"):
        make_runner(tmp_path, [ONE, PAIR], model=model).train()


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        (
            {"train_dataloader": {**loader(), "sampler": {"type": "InfiniteSampler"}}},
            ValueError,
            "train_dataloader: got the sampler InfiniteSampler, expected .*ReplayableSampler",
        ),
        (
            {"loaders": {"prompts": {**loader(), "batch_sampler": {"type": "BatchSampler"}}}},
            ValueError,
            "loaders: prompts: got a batch_sampler, expected batch_size and a sampler",
        ),
        ({"loaders": {"train": loader()}}, ValueError, "loaders: got one called 'train'"),
        (
            {"train_dataloader": torch.utils.data.DataLoader([1])},
            TypeError,
            "train_dataloader: got a DataLoader, expected a loader's config",
        ),
    ],
)
def test_a_loader_that_cannot_be_replayed_is_refused(
    tmp_path: Path, settings: dict[str, Any], error: type[Exception], told: str
) -> None:
    phases = [ONE, {**PAIR, "loader": "prompts"}] if "prompts" in str(settings) else [ONE]
    with pytest.raises(error, match=told):
        make_runner(tmp_path, phases, **settings).train()


def test_loaders_of_no_phase_are_left_alone(tmp_path: Path) -> None:
    runner, _ = train(tmp_path, [ONE], {"prompts": {"dataset": {"type": "Missing"}}})
    assert set(runner.train_loop.loaders.loaders) == {"train"}


def test_a_model_without_phases_is_refused(tmp_path: Path) -> None:
    class Other(Tiny):
        activate_losses = property()  # type: ignore[assignment]

    with pytest.raises(TypeError, match="got a Other, expected a model that has activate_losses"):
        make_runner(tmp_path, [ONE], model=Other()).train()


def test_registered() -> None:
    assert LOOPS.get("PhasedTrainLoop") is PhasedTrainLoop
