"""Chooses what enhances: PyTorch only where it is needed, since it takes seconds to import."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

import numpy as np
from PIL import Image
from typing_extensions import Unpack

from rave_mm.inference.arithmetic import Device, Precision
from rave_mm.inference.bundled import BUNDLED_ENHANCER
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.networks.checkpoint_path import check_is_there
from rave_mm.runtime.compat import silence_import_noise
from rave_mm.runtime.extras import needs

if TYPE_CHECKING:
    from torch import Tensor

    from rave_mm.inference.photo_enhancer import PhotoEnhancer
    from rave_mm.networks.conv3x3 import PaddingMode

PhotoT = TypeVar("PhotoT", np.ndarray, Image.Image, "Tensor")


class Settings(TypedDict, total=False):
    """The settings of :class:`rave_mm.inference.PhotoEnhancer`, which explains them."""

    checkpoint: str | Path
    device: Device
    padding_mode: "PaddingMode"
    max_memory: int | None
    light_map_side: int | None
    precision: Precision


def choose_enhancer(**settings: Unpack[Settings]) -> "PhotoEnhancer | ShippedEnhancer":
    """The enhancer of some settings.

    For the network that ships, on a CPU or with device "auto", in float32, that is
    :class:`ShippedEnhancer`, which has the first photo ready before PyTorch is imported; for all
    else :class:`PhotoEnhancer`.

    Raises:
        TypeError: An unknown setting.
        MissingExtraError: PyTorch is needed and not installed.
        FileNotFoundError, UnknownCheckpointError, ValueError: As :class:`PhotoEnhancer`.
    """
    if unknown := settings.keys() - Settings.__annotations__.keys():
        known = ", ".join(Settings.__annotations__)
        raise TypeError(f"got the setting {', '.join(sorted(unknown))}; expected any of {known}")
    checkpoint = settings.get("checkpoint", BUNDLED_ENHANCER)
    on_cpu = settings.get("device", "auto") in ("auto", "cpu")
    if checkpoint == BUNDLED_ENHANCER and on_cpu and settings.get("precision") in (None, "float32"):
        return ShippedEnhancer(settings.get("light_map_side"))
    return _with_pytorch(settings)


def _with_pytorch(settings: Settings) -> "PhotoEnhancer":
    check_is_there(settings.get("checkpoint", BUNDLED_ENHANCER))
    silence_import_noise()
    with needs("train", "a checkpoint, a GPU, another precision or a tensor takes PyTorch"):
        from rave_mm.inference.photo_enhancer import PhotoEnhancer
    return PhotoEnhancer(**settings)


@overload
def enhance(photos: PhotoT, strength: float = ..., **settings: Unpack[Settings]) -> PhotoT: ...
@overload
def enhance(
    photos: str | Path, strength: float = ..., **settings: Unpack[Settings]
) -> np.ndarray: ...
@overload
def enhance(
    photos: list[PhotoT], strength: float = ..., **settings: Unpack[Settings]
) -> list[PhotoT]: ...
@overload
def enhance(
    photos: list[str] | list[Path], strength: float = ..., **settings: Unpack[Settings]
) -> list[np.ndarray]: ...


def enhance(photos: Any, strength: float = 1.0, **settings: Unpack[Settings]) -> Any:
    """Enhance a photograph, or a list of them.

    Whoever enhances one after another builds a :class:`rave_mm.inference.PhotoEnhancer` once
    instead; whole folders are what ``rave-mm enhance`` is for.

    Args:
        photos: An RGB array (H, W, 3), uint8, uint16 or float32 in [0, 1]; a PIL image; a tensor
            (3, H, W) or (N, 3, H, W), floating point in [0, 1]; a file's path; or a list of such.
        strength: 0 none, 1 full, above 1 more.
        settings: Those of :class:`rave_mm.inference.PhotoEnhancer`: checkpoint, device,
            padding_mode, max_memory, light_map_side, precision. Without any, the network that
            ships enhances on the CPU, without PyTorch unless `photos` are tensors.

    Returns:
        The same kind as `photos`, or a list; for paths, RGB arrays (H, W, 3).

    Raises:
        TypeError, ValueError, FileNotFoundError, UnknownCheckpointError, UnreadablePhotoError: As
            :class:`rave_mm.inference.PhotoEnhancer` and its method.
        MissingExtraError: PyTorch is needed and not installed.
    """
    each = photos if isinstance(photos, list) else [photos]
    torch = sys.modules.get("torch")  # where it is not imported, nothing is a tensor
    tensors = torch is not None and any(isinstance(photo, torch.Tensor) for photo in each)
    enhancer: Any = _with_pytorch(settings) if tensors else choose_enhancer(**settings)
    enhanced = [enhancer.enhance(photo, strength) for photo in each]
    return enhanced if isinstance(photos, list) else enhanced[0]
