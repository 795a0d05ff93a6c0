"""Loads the network from a checkpoint: ours or a published one, by path or address."""

from pathlib import Path

from rave_mm.networks.checkpoint_file import read_generator_weights
from rave_mm.networks.light_map_unet import LightMapUNet, PaddingMode

BUNDLED_ENHANCER = Path(__file__).with_name("bundled_enhancer.pth")
"""The checkpoint that ships, see docs/bundled_enhancer.md."""


def load_network(checkpoint: str | Path, padding_mode: PaddingMode = "reflect") -> LightMapUNet:
    """Build the network with the weights of a checkpoint.

    Args:
        checkpoint: Path or address (`https://...`) of a checkpoint that `tools/train.py` wrote, or
            of one that the authors of CLIP-LIT or RAVE published. What is fetched is kept in
            PyTorch's cache.
        padding_mode: Of the four outer convolutions; "reflect" is what the published code
            enhances with, "zeros" what it trains with.

    Returns:
        The network, on the CPU, in evaluation mode, without gradients.

    Raises:
        FileNotFoundError: There is no such file.
        UnknownCheckpointError: The file is no checkpoint, or of another network.
        URLError: The address does not answer.
    """
    network = LightMapUNet(padding_mode)
    network.load_state_dict(read_generator_weights(checkpoint))
    return network.eval().requires_grad_(False)
