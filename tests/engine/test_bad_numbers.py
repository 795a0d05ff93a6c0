"""Losses and gradients that are not finite."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmagic.registry import MODELS
from mmengine.runner import Runner

from tests.engine.tiny import Tiny, make_runner


def train(tmp_path: Path, loop: dict[str, int] | None = None) -> Runner:
    phase = {"name": "one", "iterations": 3, "losses": ["fit"]}
    runner = make_runner(tmp_path, [phase], loop=loop, model={"type": "Poisoned"})
    runner.train()
    return runner


class Poisoned(Tiny):
    """Its loss, or only its gradient, is not finite for the batches that `BAD` lists."""

    BAD: tuple[int, ...] = ()
    LOSS = True

    def forward(
        self, inputs: torch.Tensor, data_samples: Any = None, mode: str = "tensor"
    ) -> dict[str, torch.Tensor]:
        values = super().forward(inputs, data_samples, mode)
        if len(self.seen) - 1 in self.BAD:
            if self.LOSS:
                raise FloatingPointError("the loss is not finite (loss_fit nan)")
            values["loss_fit"] = values["loss_fit"] + (self.generator.layer.weight * 0).sqrt().sum()
        return values


@pytest.fixture
def poisoned() -> Iterator[type[Poisoned]]:
    MODELS.register_module(module=Poisoned, force=True)
    yield Poisoned
    Poisoned.BAD, Poisoned.LOSS = (), True


@pytest.mark.parametrize("loss", [True, False])
def test_bad_numbers_end_training_and_name_the_phase(
    loss: bool, tmp_path: Path, poisoned: type[Poisoned]
) -> None:
    poisoned.BAD, poisoned.LOSS = (1,), loss
    what = "the loss is not" if loss else "the gradient of generator.layer.weight is not"
    with pytest.raises(FloatingPointError, match=f"phase one, iteration 1: {what} finite"):
        train(tmp_path)
    saved = torch.load(tmp_path / "iter_1.pth")["state_dict"]
    assert all(value.isfinite().all() for value in saved.values())
    assert not (tmp_path / "iter_2.pth").exists()


@pytest.mark.parametrize("loss", [True, False])
def test_as_many_bad_batches_on_end_as_allowed_are_left_out(
    loss: bool, tmp_path: Path, poisoned: type[Poisoned]
) -> None:
    poisoned.BAD, poisoned.LOSS = (1, 2, 4), loss
    runner = train(tmp_path, loop={"skip_limit": 2})
    assert runner.iter == 3 and len(runner.model.seen) == 6
    log = next(Path(runner.log_dir).glob("*.log")).read_text()
    assert log.count("Left out:") == 3 and "Left out: 2 of at most 2 on end" in log
    assert all(value.isfinite().all() for value in runner.model.state_dict().values())
    poisoned.BAD = (1, 2, 3)
    with pytest.raises(FloatingPointError, match="phase one, iteration 1"):
        train(tmp_path / "more", loop={"skip_limit": 2})


@pytest.mark.parametrize("setting", [{"skip_limit": -1}, {"val_interval": 0}, {"val_begin": 0}])
def test_settings_of_the_loop_out_of_range(setting: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(setting))}: got"):
        train(tmp_path, loop=setting)
