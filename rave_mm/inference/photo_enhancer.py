"""Enhances photographs, of any kind and size."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, TypeVar, overload

import numpy as np
import pyvips
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from typing_extensions import Unpack

from rave_mm.functional import apply_light_map, apply_light_map_to_wide_gamut
from rave_mm.inference.arithmetic import (
    Device,
    Precision,
    arithmetic,
    check_precision,
    choose_device,
)
from rave_mm.inference.bundled import BUNDLED_ENHANCER
from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.inference.light_map_strength import blend_light_map
from rave_mm.inference.small_view import (
    LIGHT_MAP_OF_ONE,
    LightLines,
    brightness_of,
    fit_lines,
    see_small,
)
from rave_mm.inference.tiling import ReadWindow, light_map_tiles, tile_side
from rave_mm.inference.weights import load_network
from rave_mm.inference.windows import Window, cut
from rave_mm.networks.conv3x3 import PaddingMode
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.small_view_net import HIGHEST, LOWEST, SmallViewLightMapNet
from rave_mm.photos.colour import GRAY, SRGB, ColourSpace, colour_space, full_scale, image_of
from rave_mm.photos.pillow_reader import channels
from rave_mm.photos.reading import open_photo, read_photo
from rave_mm.photos.writing import check_can_hold, write_photo
from rave_mm.runtime.memory import ask_for_huge_pages, free_memory, give_back_freed_memory

PhotoT = TypeVar("PhotoT", np.ndarray, Image.Image, Tensor)
Photo: TypeAlias = np.ndarray | Image.Image | Tensor | str | Path

_MOST_MEMORY = 8 * 10**9
_LINES_TILE = 512


class Settings(TypedDict, total=False):
    """The settings of a :class:`PhotoEnhancer`, which explains them."""

    checkpoint: str | Path
    device: Device
    padding_mode: PaddingMode
    max_memory: int | None
    light_map_side: int | None
    precision: Precision


class PhotoEnhancer:
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

    def enhance(
        self, photo: Photo, strength: float = 1.0, *, out: str | Path | None = None
    ) -> np.ndarray | Image.Image | Tensor | Path:
        """Enhance a photograph.

        Args:
            photo: RGB array (H, W, 3), uint8, uint16 or float32 in [0, 1]; PIL image; tensor
                (3, H, W) or (N, 3, H, W), floating point in [0, 1]; or a file's path.
            strength: 0 leaves the photograph as it is, 1 is the full result, more goes further:
                it is divided by ``1 + strength * (M - 1)``, never by less than 0.01 unless the
                light map ``M`` itself is less.
            out: For a path alone: the file to write. It keeps what the photograph's has, see
                :mod:`rave_mm.photos.writing`; its extension says its format.

        Returns:
            The same kind as `photo`, of its shape and type: arrays are new, tensors are on the
            device they were on, PIL images keep their alpha and metadata, gray stays gray. For a
            path: `out`, once it is written, or an RGB array (H, W, 3) if that is None.

        Raises:
            TypeError: `photo` is none of these.
            ValueError: A shape, a type, a value or `strength` is out of range, or a PIL image's
                colour profile is damaged.
            UnreadablePhotoError: The file cannot be read.
        """
        if isinstance(photo, str | Path):
            if out is None:
                return self.enhance_pixels(read_photo(photo), strength)
            loaded = open_photo(photo).load()
            check_can_hold(Path(out), loaded.alpha)
            enhanced = self.enhance_pixels(loaded.values, strength, colour=loaded.colour)
            write_photo(out, enhanced, loaded)
            return Path(out)
        if out is not None:
            raise ValueError(f"out: got {out} for a {type(photo).__name__}; expected it for a path")
        if isinstance(photo, np.ndarray):
            if photo.ndim != 3 or photo.shape[2] != 3:
                raise ValueError(f"got an array of shape {photo.shape}; expected RGB (H, W, 3)")
            return self.enhance_pixels(photo, strength)
        if isinstance(photo, Image.Image):
            return self._enhance_image(photo, strength)
        if isinstance(photo, Tensor):
            return self._enhance_tensor(photo, strength)
        raise TypeError(
            f"got a {type(photo).__name__}; expected an array, a PIL image, a tensor or a path"
        )

    def enhance_pixels(
        self,
        pixels: np.ndarray,
        strength: float = 1.0,
        *,
        colour: ColourSpace | None = None,
        max_memory: int | None = None,
        meter: FailureMeter | None = None,
        light_map: np.ndarray | None = None,
    ) -> np.ndarray:
        """Enhance an array.

        Args:
            pixels: (H, W, 3) RGB or (H, W, 1) gray; uint8, uint16 or float32 in [0, 1]. May be
                memory-mapped.
            strength: As for :meth:`enhance`.
            colour: What the values mean; None for sRGB. The network sees sRGB, in which the light
                map is applied too, and the result is in these colours again.
            max_memory: Of the network, in place of the enhancer's.
            meter: To count the signs of failure with.
            light_map: uint16 (H, W), to be filled with the network's light map ``M``, of strength
                1: `LIGHT_MAP_OF_ONE` is 1.

        Returns:
            A new array of the same shape and type.

        Raises:
            ValueError: A shape, a type, a value or `strength` is out of range.
        """
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
            raise ValueError(f"got an array of shape {pixels.shape}; expected (H, W, 3), not empty")
        if pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise ValueError(f"got {pixels.dtype} values; expected uint8, uint16 or float32")
        if pixels.dtype == np.float32:
            _check_range(float(pixels.min()), float(pixels.max()))
        space = colour or (SRGB if pixels.shape[2] == 3 else GRAY)
        divide = apply_light_map if space.is_srgb else apply_light_map_to_wide_gamut

        def srgb(window: Window) -> Tensor:
            part = torch.from_numpy(space.to_srgb(pixels[window.slices]))
            return part.to(self.device).permute(2, 0, 1)[None]

        def seen(window: Window) -> Tensor:
            return srgb(window) if space.is_srgb else srgb(window).clamp_(0, 1)

        result = np.empty(pixels.shape, pixels.dtype)
        size = (pixels.shape[0], pixels.shape[1])
        lines = None
        if self.sees_small(*size):
            _, lines = self.see(image_of(pixels), space, max_memory)
        top = full_scale(pixels.dtype)
        with arithmetic(self.device, self.precision):
            for window, photo, lit in self._tiles(seen, size, max_memory, lines):
                whole = photo if space.is_srgb else srgb(window)
                enhanced = divide(whole, blend_light_map(lit.float(), strength))
                shown = enhanced[0].permute(1, 2, 0).cpu().numpy()
                result[window.slices] = space.from_srgb(shown, pixels[window.slices])
                if meter is not None:
                    if top > 1:  # what clips is told by what is written
                        shown = (shown * top).round() / top
                    meter.add(photo[0].permute(1, 2, 0).cpu().numpy(), shown.clip(0, 1))
                if light_map is not None:
                    scaled = (lit[0, 0].float() * LIGHT_MAP_OF_ONE).round().clamp(max=65535)
                    light_map[window.slices] = scaled.cpu().numpy().astype(np.uint16)
        return result

    def _enhance_image(self, image: Image.Image, strength: float) -> Image.Image:
        if image.mode.startswith("I;16"):
            deep = np.array(image).astype(np.uint16)[..., None]
            result = Image.fromarray(self.enhance_pixels(deep, strength)[..., 0])
        elif image.mode in ("I", "F"):
            raise ValueError(
                f"got a PIL image of mode {image.mode!r}, whose range is not known; expected 8 "
                "bits per channel, 'I;16', or an array"
            )
        else:
            pixels = channels(image)
            colours = 3 if pixels.shape[2] > 2 else 1
            profile = b"" if image.mode == "CMYK" else image.info.get("icc_profile") or b""
            enhanced = self.enhance_pixels(
                pixels[..., :colours], strength, colour=colour_space(profile, colours)
            )
            whole = np.concatenate([enhanced, pixels[..., colours:]], axis=2)
            result = Image.fromarray(whole[..., 0] if whole.shape[2] == 1 else whole)
        # The profile of CMYK does not fit RGB; transparency has become a channel.
        dropped = ("transparency",) + (("icc_profile",) if image.mode == "CMYK" else ())
        result.info = {key: value for key, value in image.info.items() if key not in dropped}
        return result

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
        _check_range(float(batch.min()), float(batch.max()))
        result = torch.empty_like(batch)
        for index in range(len(batch)):
            lines = None
            if self.sees_small(*batch.shape[2:]):
                pixels = batch[index].permute(1, 2, 0).float().cpu().numpy()
                _, lines = self.see(image_of(pixels), SRGB)

            def read(window: Window, photo: Tensor = batch[index : index + 1]) -> Tensor:
                return photo[(..., *window.slices)].to(self.device, torch.float32)

            size = (batch.shape[2], batch.shape[3])
            with arithmetic(self.device, self.precision):
                for window, photo, lit in self._tiles(read, size, lines=lines):
                    enhanced = apply_light_map(photo, blend_light_map(lit.float(), strength))
                    result[(index, ..., *window.slices)] = enhanced[0].to(result)
        return result.view(photos.shape)

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

    @torch.no_grad()
    def _tiles(
        self,
        read: ReadWindow,
        size: tuple[int, int],
        max_memory: int | None = None,
        lines: LightLines | None = None,
    ) -> Iterator[tuple[Window, Tensor, Tensor]]:
        if isinstance(self.network, LightMapUNet) and lines is None:
            yield from light_map_tiles(self.network, read, *size, self._tile_side(max_memory))
            return
        assert lines is not None
        for tile in cut(*size, _LINES_TILE, 0):
            photo = read(tile.core)
            brightness = photo[0].mean(0).cpu().numpy()
            light_map = torch.from_numpy(lines.at(brightness, tile.core, *size))
            yield tile.core, photo, light_map.to(photo)[None, None]

    def _tile_side(self, max_memory: int | None) -> int:
        assert isinstance(self.network, LightMapUNet)
        memory = max_memory or self.max_memory
        if memory is None:
            memory = min(free_memory(self.device) // 2, _MOST_MEMORY)
        return tile_side(self.network, memory)


def _check_range(lowest: float, highest: float) -> None:
    if not (lowest >= 0 and highest <= 1):  # nor if one is NaN
        raise ValueError(f"got values from {lowest:g} to {highest:g}; expected [0, 1]")


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

    Whoever enhances one after another builds a :class:`PhotoEnhancer` once instead; whole folders
    are what ``tools/enhance.py`` is for.

    Args:
        photos: What :meth:`PhotoEnhancer.enhance` takes, or a list of such.
        strength: 0 none, 1 full, above 1 more; see :meth:`PhotoEnhancer.enhance`.
        settings: Those of :class:`PhotoEnhancer`: checkpoint, device, padding_mode, max_memory,
            light_map_side, precision.

    Returns:
        The same kind as `photos`, or a list; for paths, RGB arrays (H, W, 3).

    Raises:
        TypeError, ValueError, FileNotFoundError, UnknownCheckpointError, UnreadablePhotoError: As
            :class:`PhotoEnhancer` and its method.
    """
    enhancer = PhotoEnhancer(**settings)
    if isinstance(photos, list):
        return [enhancer.enhance(photo, strength) for photo in photos]
    return enhancer.enhance(photos, strength)
