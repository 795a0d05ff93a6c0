"""What is saved is whole, and can be gone on from."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rave_mm.engine.sound_checkpoints import SoundCheckpointsHook


def save(model: nn.Module) -> None:
    checkpoint = {"state_dict": model.state_dict()}
    SoundCheckpointsHook().before_save_checkpoint(SimpleNamespace(model=model, iter=7), checkpoint)


class TestSoundCheckpointsHook:
    @pytest.mark.parametrize(
        "value, told",
        [
            (float("nan"), "is not finite"),
            (float("inf"), "is not finite"),
            (-1e9, r"has reached 1e\+09"),
        ],
    )
    def test_refuses_ruined_weights(self, value: float, told: str) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        save(model)
        with torch.no_grad():
            model[0].weight[1, 0] = value
        with pytest.raises(FloatingPointError, match=f"^0.weight {told} by iteration 7: no check"):
            save(model)

    def test_a_statistic_may_be_large_but_must_be_finite(self) -> None:
        model = nn.BatchNorm1d(2)
        model.running_var.fill_(1e9)
        save(model)
        model.running_var.fill_(float("nan"))
        with pytest.raises(FloatingPointError, match="running_var is not finite"):
            save(model)

    def test_looks_into_what_wraps_the_model(self) -> None:
        model = nn.Linear(1, 1)
        model.bias.data.fill_(1e8)
        with pytest.raises(FloatingPointError, match="bias has reached"):
            SoundCheckpointsHook().before_save_checkpoint(
                SimpleNamespace(model=SimpleNamespace(module=model), iter=1),
                {"state_dict": model.state_dict()},
            )
