"""Reads a checkpoint's file, by path or address, or says plainly that it is none."""

import hashlib
import pickle
import struct
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor

from rave_mm.networks.published_checkpoints import UnknownCheckpointError, extract_generator_weights
from rave_mm.runtime.compat import allow_mmengine_checkpoints

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


def read_checkpoint(checkpoint: str | Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU.

    Args:
        checkpoint: Path or address (`https://...`). What is fetched is kept in PyTorch's cache.

    Raises:
        FileNotFoundError: There is no such file.
        UnknownCheckpointError: PyTorch cannot read it; names the file.
        URLError: The address does not answer.
    """
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
            f"{checkpoint}: PyTorch cannot read it as a checkpoint ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]}); expected one that tools/train.py wrote, or a "
            "published one of RAVE or CLIP-LIT"
        ) from error


def read_generator_weights(checkpoint: str | Path) -> dict[str, Tensor]:
    """The weights of the network in a checkpoint of any known form, on the CPU.

    Args:
        checkpoint: As for :func:`read_checkpoint`.

    Returns:
        State dict of ``LightMapUNet`` or ``SmallViewLightMapNet``.

    Raises:
        FileNotFoundError: There is no such file.
        UnknownCheckpointError: It is no checkpoint, or of another network; names the file.
        URLError: The address does not answer.
    """
    stored = read_checkpoint(checkpoint)
    try:
        return extract_generator_weights(stored)
    except UnknownCheckpointError as error:
        raise UnknownCheckpointError(f"{checkpoint}: {error}") from error
