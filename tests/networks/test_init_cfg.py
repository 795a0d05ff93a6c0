"""A network starts from what its config names, by itself and within a model of MMEngine's."""

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModule
from torch import nn

from rave_mm.networks.init_cfg import InitCfg, InitCfgModule


class Line(InitCfgModule):
    def __init__(self, init_cfg: InitCfg | None = None) -> None:
        super().__init__(init_cfg)
        self.conv = nn.Conv2d(1, 1, 1)


class Model(BaseModule):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


CONSTANT = {"type": "Constant", "layer": "Conv2d", "val": 3.0, "bias": 2.0}


@pytest.mark.parametrize("within", [False, True], ids=["itself", "in a model"])
def test_what_init_cfg_names_is_what_it_starts_from(within: bool) -> None:
    line = Line(CONSTANT)
    module = Model(line) if within else line
    module.init_weights()
    assert (line.conv.weight.item(), line.conv.bias.item()) == (3.0, 2.0)


@pytest.mark.parametrize("order", [1, -1], ids=["last", "first"])
def test_a_checkpoint_is_loaded_last_wherever_it_is_named(tmp_path: Path, order: int) -> None:
    """As in MMEngine's `BaseModule`: what is drawn does not replace what is loaded."""
    torch.save({"conv.weight": torch.full((1, 1, 1, 1), 7.0)}, tmp_path / "weight.pth")
    pretrained = {"type": "Pretrained", "checkpoint": str(tmp_path / "weight.pth")}
    line = Line([CONSTANT, pretrained][::order])
    line.init_weights()
    assert (line.conv.weight.item(), line.conv.bias.item()) == (7.0, 2.0)


def test_without_init_cfg_its_weights_stay() -> None:
    line = Line()
    before = line.conv.weight.item()
    Model(line).init_weights()
    assert line.conv.weight.item() == before


def test_a_config_is_copied() -> None:
    given = dict(CONSTANT)
    line = Line(given)
    given["val"] = 0.0
    assert isinstance(line.init_cfg, dict) and line.init_cfg["val"] == 3.0
