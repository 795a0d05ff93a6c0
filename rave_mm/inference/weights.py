"""Loads the network from a checkpoint: ours or a published one, by path or address."""

from pathlib import Path
from typing import TypeAlias

from rave_mm.networks.checkpoint_file import read_generator_weights
from rave_mm.networks.conv3x3 import PaddingMode
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.published_checkpoints import is_small_view
from rave_mm.networks.small_view_net import SmallViewLightMapNet

LightMapNetwork: TypeAlias = LightMapUNet | SmallViewLightMapNet


def load_network(checkpoint: str | Path, padding_mode: PaddingMode = "reflect") -> LightMapNetwork:
    """Build the network with the weights of a checkpoint, which tell which one it is.

    Args:
        checkpoint: Path or address (`https://...`) of a checkpoint that `tools/train.py` wrote, or
            of one that the authors of CLIP-LIT or RAVE published. What is fetched is kept in
            PyTorch's cache.
        padding_mode: Of the four outer convolutions of ``LightMapUNet``; "reflect" is what the
            published code enhances with, "zeros" what it trains with.

    Returns:
        The network, on the CPU, in evaluation mode, without gradients.

    Raises:
        FileNotFoundError: There is no such file.
        UnknownCheckpointError: The file is no checkpoint, or of another network.
        URLError: The address does not answer.
    """
    weights = read_generator_weights(checkpoint)
    network: LightMapNetwork
    if is_small_view(weights):
        network = SmallViewLightMapNet.of_weights(weights)
    else:
        network = LightMapUNet(padding_mode)
        network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
