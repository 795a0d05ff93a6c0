"""Loads the network from a checkpoint: ours or a published one, by path or address."""

import hashlib
import pickle
import struct
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

import torch

from rave_mm.compat import allow_mmengine_checkpoints
from rave_mm.models.light_map_unet import LightMapUNet, PaddingMode
from rave_mm.models.published_checkpoints import UnknownCheckpointError, extract_generator_weights

# What PyTorch's reader raises for files that are no checkpoints, whose bytes it takes for commands.
_UNREADABLE = (
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    struct.error,
)


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
    try:
        network.load_state_dict(extract_generator_weights(_read(checkpoint)))
    except UnknownCheckpointError as error:
        raise UnknownCheckpointError(f"{checkpoint}: {error}") from error
    return network.eval().requires_grad_(False)


def _read(checkpoint: str | Path) -> dict[str, Any]:
    # What MMEngine writes beside the weights would be refused otherwise.
    allow_mmengine_checkpoints()
    address = str(checkpoint)
    if "://" not in address and not Path(checkpoint).is_file():
        raise FileNotFoundError(
            f"no checkpoint {checkpoint} (looked from {Path.cwd()}); expected the path or address "
            "of one that tools/train.py wrote, or of a published one of RAVE or CLIP-LIT"
        )
    try:
        if "://" not in address:
            return torch.load(checkpoint, map_location="cpu", weights_only=True)
        # PyTorch keeps files by name alone, and many of these have the same.
        digest = hashlib.sha256(address.encode()).hexdigest()[:12]
        name = f"{digest}-{PurePosixPath(urlparse(address).path).name}"
        return torch.hub.load_state_dict_from_url(
            address, map_location="cpu", file_name=name, weights_only=True
        )
    except _UNREADABLE as error:
        raise UnknownCheckpointError(
            f"PyTorch cannot read it as a checkpoint ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]})"
        ) from error
