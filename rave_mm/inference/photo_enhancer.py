"""Enhances photographs, of any kind and size."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
import pyvips
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from rave_mm.functional import apply_light_map
from rave_mm.inference.arithmetic import (
    Device,
    Precision,
    arithmetic,
    check_precision,
    choose_device,
)
from rave_mm.inference.arrays import (
    LitWindow,
    check_range,
    lit_by_lines,
)
from rave_mm.inference.bundled import BUNDLED_ENHANCER
from rave_mm.inference.enhancer import Enhancer, check_no_out
from rave_mm.inference.light_map_strength import blend_light_map
from rave_mm.inference.small_view import LightLines, brightness_of, fit_lines, see_small
from rave_mm.inference.tiling import light_map_tiles, tile_side
from rave_mm.inference.weights import load_network
from rave_mm.inference.windows import Window
from rave_mm.networks.conv3x3 import PaddingMode
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.small_view_net import HIGHEST, LOWEST, SmallViewLightMapNet
from rave_mm.photos.colour import SRGB, ColourSpace, image_of
from rave_mm.runtime.memory import ask_for_huge_pages, give_back_freed_memory, usual_memory

PhotoT = TypeVar("PhotoT", np.ndarray, Image.Image, Tensor)


class PhotoEnhancer(Enhancer):
    """Enhances photographs with one network.

    Either the network looks at a small view of the photograph, see
    :mod:`rave_mm.inference.small_view`, or at all of its pixels tile by tile, so that memory is
    bounded, with the result of the whole photograph, see :mod:`rave_mm.inference.tiling`.
    Photographs stay where they are and of the type they have.

    Args:
        checkpoint: Path or address of one of ours or a published one, see
            :func:`rave_mm.inference.weights.load_network`; without it, the one that ships.
        device: "auto" (a GPU if there is one), "cpu", "cuda", or any that PyTorch knows of these.
        padding_mode: Of ``LightMapUNet``: "reflect", as the published code enhances, or "zeros".
        max_memory: Bytes that the network may take, beside the photograph and its result. None
            for half of what is free on the device, at most 8 GB. Where it is given, the process
            gives back freed memory at once from then on.
        light_map_side: Have the network look at photographs reduced to so many pixels of their
            long side. None for what the network was made for: ``SmallViewLightMapNet`` has a side
            of its own, ``LightMapUNet`` looks at all pixels.
        precision: That the network computes in: "float32", "bfloat16", or on a GPU "float16".

    Raises:
        FileNotFoundError: There is no such checkpoint.
        UnknownCheckpointError: It is no checkpoint, or of another network.
        ValueError: An unknown device, padding mode or precision, too little memory, or a
            `light_map_side` below 1.
    """

    def __init__(
        self,
        checkpoint: str | Path = BUNDLED_ENHANCER,
        *,
        device: Device = "auto",
        padding_mode: PaddingMode = "reflect",
        max_memory: int | None = None,
        light_map_side: int | None = None,
        precision: Precision = "float32",
    ) -> None:
        ask_for_huge_pages()
        self.device = choose_device(device)
        check_precision(precision, self.device)
        self.precision = precision
        self.network = load_network(checkpoint, padding_mode).to(self.device)
        self.max_memory = max_memory
        if light_map_side is not None and light_map_side < 1:
            raise ValueError(f"got light_map_side={light_map_side}; expected 1 pixel or more")
        if light_map_side is None and isinstance(self.network, SmallViewLightMapNet):
            light_map_side = self.network.side
        self.light_map_side = light_map_side
        if max_memory is not None:
            if isinstance(self.network, LightMapUNet):
                tile_side(self.network, max_memory)  # refuses too little at once
            give_back_freed_memory()

    @overload
    def enhance(self, photo: PhotoT, strength: float = ...) -> PhotoT: ...
    @overload
    def enhance(
        self, photo: str | Path, strength: float = ..., *, out: None = ...
    ) -> np.ndarray: ...
    @overload
    def enhance(self, photo: str | Path, strength: float = ..., *, out: str | Path) -> Path: ...

    def enhance(self, photo: Any, strength: float = 1.0, *, out: str | Path | None = None) -> Any:
        """Enhance a photograph: what :meth:`Enhancer.enhance` takes, or a tensor.

        A tensor is (3, H, W) or (N, 3, H, W), floating point in [0, 1]; the result is on the device
        that it was on.
        """
        if isinstance(photo, Tensor):
            check_no_out(photo, out)
            return self._enhance_tensor(photo, strength)
        return super().enhance(photo, strength, out=out)

    def lit_windows(
        self, pixels: np.ndarray, colour: ColourSpace, max_memory: int | None
    ) -> Iterator[LitWindow]:
        """The windows of a photograph, with the light map in each."""
        if self.sees_small(*pixels.shape[:2]):
            _, lines = self.see(image_of(pixels), colour, max_memory)
            return lit_by_lines(pixels, colour, lines)
        return self._lit_by_tiles(pixels, colour, max_memory)

    def _lit_by_tiles(
        self, pixels: np.ndarray, space: ColourSpace, max_memory: int | None
    ) -> Iterator[LitWindow]:
        """The windows of a photograph, with the light map of a network that looks at all pixels."""
        assert isinstance(self.network, LightMapUNet)

        def seen(window: Window) -> Tensor:
            part = torch.from_numpy(space.to_srgb(pixels[window.slices])).to(self.device)
            part = part if space.is_srgb else part.clamp_(0, 1)
            return part.permute(2, 0, 1)[None]

        height, width = pixels.shape[:2]
        side = self._tile_side(max_memory)
        with arithmetic(self.device, self.precision):
            for window, photo, lit in light_map_tiles(self.network, seen, height, width, side):
                if space.is_srgb:
                    srgb = photo[0].permute(1, 2, 0).cpu().numpy()
                else:
                    srgb = space.to_srgb(pixels[window.slices])
                yield window, srgb, lit[0, 0].float().cpu().numpy()

    def _enhance_tensor(self, photos: Tensor, strength: float) -> Tensor:
        batch = photos[None] if photos.ndim == 3 else photos
        if batch.ndim != 4 or batch.shape[1] != 3 or 0 in batch.shape:
            raise ValueError(
                f"got a tensor of shape {tuple(photos.shape)}; expected (3, H, W) or (N, 3, H, W), "
                "not empty"
            )
        if not photos.is_floating_point():
            raise ValueError(f"got a tensor of {photos.dtype}; expected floating point in [0, 1]")
        batch = batch.detach()
        check_range(float(batch.min()), float(batch.max()))
        result = torch.empty_like(batch)
        for photo, enhanced in zip(batch.split(1), result.split(1), strict=True):
            for window, part, lit in self._lit_parts(photo):
                divided = apply_light_map(part, blend_light_map(lit.to(part), strength))
                enhanced[(..., *window.slices)] = divided.to(enhanced)
        return result.view(photos.shape)

    def _lit_parts(self, photo: Tensor) -> Iterator[tuple[Window, Tensor, Tensor]]:
        """The windows of a tensor (1, 3, H, W), float32, with the light map in each."""
        height, width = photo.shape[2:]
        if self.sees_small(height, width):
            pixels = photo[0].permute(1, 2, 0).float().cpu().numpy()
            _, lines = self.see(image_of(pixels), SRGB)
            light_map = torch.from_numpy(lines.whole(pixels))[None, None]
            yield Window(0, height, 0, width), photo.float(), light_map
            return
        assert isinstance(self.network, LightMapUNet)

        def read(window: Window) -> Tensor:
            return photo[(..., *window.slices)].to(self.device, torch.float32)

        with arithmetic(self.device, self.precision):
            yield from light_map_tiles(self.network, read, height, width, self._tile_side(None))

    def sees_small(self, height: int, width: int) -> bool:
        """Whether what the network gives for a photograph of this size are lines."""
        if isinstance(self.network, SmallViewLightMapNet):
            return True
        return self.light_map_side is not None and max(height, width) > self.light_map_side

    def see(
        self, image: pyvips.Image, colour: ColourSpace, max_memory: int | None = None
    ) -> tuple[NDArray, LightLines]:
        """Look at a small view of a photograph, as :class:`rave_mm.inference.seeing.Seer` has it.

        Raises:
            ValueError: The enhancer has no `light_map_side`.
        """
        if self.light_map_side is None:
            raise ValueError("got an enhancer without light_map_side; expected one with")
        seen = see_small(image, self.light_map_side)
        srgb = colour.to_srgb(seen).clip(0, 1)
        view = torch.from_numpy(srgb).to(self.device).permute(2, 0, 1)[None]
        with torch.no_grad(), arithmetic(self.device, self.precision):
            if isinstance(self.network, SmallViewLightMapNet):
                slopes, offsets = self.network.lines(view)[0].float().cpu().numpy()
                return seen, LightLines(slopes, offsets, LOWEST, HIGHEST, logarithmic=True)
            light_map = view.new_empty(1, 1, *view.shape[2:])
            tiles = light_map_tiles(
                self.network,
                lambda window: view[(..., *window.slices)],
                view.shape[2],
                view.shape[3],
                self._tile_side(max_memory),
            )
            for window, _, part in tiles:
                light_map[(..., *window.slices)] = part
        return seen, fit_lines(light_map[0, 0].cpu().numpy(), brightness_of(srgb))

    def _tile_side(self, max_memory: int | None) -> int:
        assert isinstance(self.network, LightMapUNet)
        memory = max_memory or self.max_memory
        if memory is None:
            memory = usual_memory(self.device)
        return tile_side(self.network, memory)
