"""What is done to photographs: divided by their light map, and made into CLIP's input."""

import functools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rave_mm.functional.checks import at_least_float32


def apply_light_map(image: Tensor, light_map: Tensor, eps: float = 1e-9) -> Tensor:
    """Divide a photograph by its light map: ``clamp(x / (M + eps), 0, 1)``.

    The result and its gradients are finite for every light map that is zero or more, float16
    included: where ``M`` is 0, black stays black and every other value becomes 1.

    Args:
        image: The photograph ``x`` (N, C, H, W) in [0, 1].
        light_map: The light map ``M`` (N, 1, H, W), zero or more.
        eps: Keeps the division finite. The default is the one of CLIP-LIT's published training
            code; its inference code has none. Neither shows in a result where ``M > 1e-3``.

    Returns:
        The enhanced photograph, of the shape and type of ``image``.

    Raises:
        ValueError: If the shapes do not fit or ``eps`` is not above zero.
    """
    if image.ndim != 4 or light_map.shape != (image.shape[0], 1, *image.shape[2:]):
        raise ValueError(
            f"got image {tuple(image.shape)} and light map {tuple(light_map.shape)}; expected "
            "(N, C, H, W) and (N, 1, H, W) with the same N, H and W"
        )
    if not eps > 0:
        raise ValueError(f"got eps={eps}; it must be above zero, or a light map of 0 gives NaN")
    enhanced = at_least_float32(image) / (at_least_float32(light_map) + eps)
    return enhanced.clamp(0, 1).to(image.dtype)


def clip_input(
    images: Tensor,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    antialias: bool = False,
) -> Tensor:
    """Prepare image tensors for CLIP inside a loss: bilinear resize, then CLIP's mean and std.

    The aspect ratio is not kept. Without antialiasing this is what the published code does to
    tensors; only the residual vector's photographs go through PIL.

    Args:
        images: RGB in [0, 1], (N, 3, H, W).
        size: Side of CLIP's square input, in pixels.
        mean: CLIP's mean of red, green and blue.
        std: CLIP's standard deviation of red, green and blue.
        antialias: Whether to low-pass before shrinking.

    Returns:
        (N, 3, size, size), float32 or wider.

    Raises:
        ValueError: If a shape, the type of the images, or a number of channel values is wrong.
    """
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(
            f"got images of shape {tuple(images.shape)}; expected RGB (N, 3, H, W), not empty"
        )
    if not images.is_floating_point():
        raise ValueError(f"got images of type {images.dtype}; expected floating point in [0, 1]")
    if size < 1 or len(mean) != 3 or len(std) != 3 or 0 in std:
        raise ValueError(
            f"got size={size}, mean={tuple(mean)}, std={tuple(std)}; expected a size of 1 or more "
            "and three means and three standard deviations other than 0"
        )
    images = at_least_float32(images)
    if images.shape[2:] != (size, size):
        images = F.interpolate(
            images, (size, size), mode="bilinear", align_corners=False, antialias=antialias
        )
    return (images - _per_channel(tuple(mean), images.dtype, images.device)) / _per_channel(
        tuple(std), images.dtype, images.device
    )


# A GPU is waited for whenever a number of Python's is sent to it.
@functools.lru_cache
def _per_channel(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # it is kept, and gradients may pass it later
        return torch.tensor(values, dtype=dtype, device=device).view(3, 1, 1)
