"""Weights that do something visible to a photograph, without a published file."""

from pathlib import Path

import pytest
import torch

from rave_mm.inference import PhotoEnhancer
from rave_mm.networks.light_map_unet import LightMapUNet


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a network that doubles brightness, more or less."""
    torch.manual_seed(1)
    network = LightMapUNet(start="identity")
    with torch.no_grad():
        network.conv_out.weight.mul_(50)
        network.conv_out.bias.fill_(0.5)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    state_dict = {f"generator.{name}": value for name, value in network.state_dict().items()}
    torch.save({"meta": {}, "state_dict": state_dict}, path)
    return path


@pytest.fixture(scope="session")
def enhancer(checkpoint: Path) -> PhotoEnhancer:
    # Tiles of 16 pixels, 50 with what they see: most photographs here have several.
    return PhotoEnhancer(checkpoint, device="cpu", max_memory=1900 * 50**2)
