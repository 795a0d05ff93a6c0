"""The one call that loads a network and enhances."""

from pathlib import Path
from typing import Any, overload

import numpy as np

from rave_mm.inference.arithmetic import Device, Precision
from rave_mm.inference.photo_enhancer import PhotoEnhancer, PhotoT
from rave_mm.inference.weights import BUNDLED_ENHANCER
from rave_mm.networks.light_map_unet import PaddingMode


@overload
def enhance(
    photos: PhotoT,
    strength: float = ...,
    *,
    checkpoint: str | Path = ...,
    device: Device = ...,
    padding_mode: PaddingMode = ...,
    max_memory: int | None = ...,
    fast: bool = ...,
    precision: Precision = ...,
) -> PhotoT: ...
@overload
def enhance(
    photos: str | Path,
    strength: float = ...,
    *,
    checkpoint: str | Path = ...,
    device: Device = ...,
    padding_mode: PaddingMode = ...,
    max_memory: int | None = ...,
    fast: bool = ...,
    precision: Precision = ...,
) -> np.ndarray: ...
@overload
def enhance(
    photos: list[PhotoT],
    strength: float = ...,
    *,
    checkpoint: str | Path = ...,
    device: Device = ...,
    padding_mode: PaddingMode = ...,
    max_memory: int | None = ...,
    fast: bool = ...,
    precision: Precision = ...,
) -> list[PhotoT]: ...
@overload
def enhance(
    photos: list[str] | list[Path],
    strength: float = ...,
    *,
    checkpoint: str | Path = ...,
    device: Device = ...,
    padding_mode: PaddingMode = ...,
    max_memory: int | None = ...,
    fast: bool = ...,
    precision: Precision = ...,
) -> list[np.ndarray]: ...


def enhance(
    photos: Any,
    strength: float = 1.0,
    *,
    checkpoint: str | Path = BUNDLED_ENHANCER,
    device: Device = "auto",
    padding_mode: PaddingMode = "reflect",
    max_memory: int | None = None,
    fast: bool = False,
    precision: Precision = "float32",
) -> Any:
    """Enhance a photograph, or a list of them.

    Whoever enhances one after another builds a :class:`PhotoEnhancer` once instead; whole folders
    are what ``tools/enhance.py`` is for.

    Args:
        photos: What :meth:`PhotoEnhancer.enhance` takes, or a list of such.
        strength: 0 none, 1 full, above 1 more; see :meth:`PhotoEnhancer.enhance`.
        checkpoint: Path or address of a checkpoint, ours or a published one; without it, the one
            that ships with this package.
        device: "auto", "cpu" or "cuda".
        padding_mode: "reflect", as the published code enhances, or "zeros".
        max_memory: Bytes that the network may take; None for half of what is free.
        fast: Predict the light map of large photographs from a part of their pixels.
        precision: "float32", "bfloat16", or on a GPU "float16".

    Returns:
        The same kind as `photos`, or a list; for paths, RGB arrays (H, W, 3).

    Raises:
        TypeError, ValueError, FileNotFoundError, UnknownCheckpointError, UnreadablePhotoError: As
            :class:`PhotoEnhancer` and its method.
    """
    enhancer = PhotoEnhancer(
        checkpoint,
        device=device,
        padding_mode=padding_mode,
        max_memory=max_memory,
        fast=fast,
        precision=precision,
    )
    if isinstance(photos, list):
        return [enhancer.enhance(photo, strength) for photo in photos]
    return enhancer.enhance(photos, strength)
