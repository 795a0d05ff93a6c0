"""Networks from checkpoints of every kind, or a clear error."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from rave_mm.inference.weights import load_network
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.published_checkpoints import PUBLISHED_NAMES, UnknownCheckpointError


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return LightMapUNet().state_dict()


def test_ours_as_mmengine_writes_it(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    history = HistoryBuffer(np.array([1.0]), np.array([1]))
    generator = {f"generator.{name}": value for name, value in weights.items()}
    others = {"losses.guidance.vector": torch.zeros(4)}
    torch.save(
        {"state_dict": {**generator, **others}, "message_hub": {"log_scalars": {"loss": history}}},
        tmp_path / "iter_2.pth",
    )
    network = load_network(tmp_path / "iter_2.pth")
    assert not network.training
    assert network.conv_in.padding_mode == "reflect"
    for name, value in network.state_dict().items():
        assert torch.equal(value, weights[name])
    assert load_network(tmp_path / "iter_2.pth", "zeros").conv_in.padding_mode == "zeros"


def test_published_ones(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    published = {f"module.{name}": weights[own] for name, own in PUBLISHED_NAMES.items()}
    torch.save(published, tmp_path / "model.pth")
    network = load_network(tmp_path / "model.pth")
    assert torch.equal(network.conv_in.weight, weights["conv_in.weight"])


def test_what_is_no_checkpoint_of_this_network(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*none\.pth \(looked from"):
        load_network(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UnknownCheckpointError, match=r"text\.pth is no checkpoint: cut off, or no"):
        load_network(tmp_path / "text.pth")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(UnknownCheckpointError, match=r"other\.pth: "):
        load_network(tmp_path / "other.pth")
