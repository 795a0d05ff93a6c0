"""Reads a checkpoint's file, by path or address, or says plainly that it is none."""

from pathlib import Path
from typing import Any

from torch import Tensor

from rave_mm.networks.checkpoint_path import check_is_there, is_address
from rave_mm.networks.fetched_checkpoint import fetch_checkpoint
from rave_mm.networks.published_checkpoints import UnknownCheckpointError, extract_generator_weights
from rave_mm.runtime.tensor_file import TensorFileError, read_tensors


def read_checkpoint(checkpoint: str | Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU.

    Args:
        checkpoint: Path, or address as for :func:`rave_mm.networks.fetched_checkpoint`.

    Raises:
        FileNotFoundError: There is no such file.
        UnknownCheckpointError: It cannot be read, names the file; or cannot be fetched.
        URLError: The address does not answer.
    """
    check_is_there(checkpoint)
    path = fetch_checkpoint(str(checkpoint)) if is_address(checkpoint) else Path(checkpoint)
    try:
        stored: dict[str, Any] = read_tensors(path)
    except TensorFileError as error:
        raise UnknownCheckpointError(
            f"{checkpoint} is no checkpoint: {str(error).removeprefix(f'{path}: ')}. Expected one "
            "that training wrote, or a published one of RAVE or CLIP-LIT"
        ) from error
    return stored


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
