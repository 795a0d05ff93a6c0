"""What every enhancer does: photographs of any kind, by way of arrays."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
from PIL import Image

from rave_mm.inference.arrays import LitWindow, check_pixels, enhance_windows
from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.inference.light_map_strength import check_strength
from rave_mm.photos.colour import GRAY, SRGB, ColourSpace, colour_space
from rave_mm.photos.pillow_reader import channels
from rave_mm.photos.reading import open_photo, read_photo
from rave_mm.photos.writing import check_can_hold, write_photo

PhotoT = TypeVar("PhotoT", np.ndarray, Image.Image)


class Enhancer(ABC):
    """Enhances arrays, PIL images and files; a subclass gives the light map of an array."""

    @abstractmethod
    def lit_windows(
        self, pixels: np.ndarray, colour: ColourSpace, max_memory: int | None
    ) -> Iterator[LitWindow]:
        """The windows of a photograph, with the light map that the network gives.

        Args:
            pixels: As for :meth:`enhance_pixels`, and of values that it takes.
            colour: What the values mean.
            max_memory: Bytes that the network may take; None for the enhancer's own.
        """

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
            max_memory: Bytes that the network may take; None for the enhancer's own.
            meter: To count the signs of failure with.
            light_map: uint16 (H, W), to be filled with the network's light map ``M``, of strength
                1: `LIGHT_MAP_OF_ONE` is 1.

        Returns:
            A new array of the same shape and type.

        Raises:
            ValueError: A shape, a type, a value or `strength` is out of range.
        """
        check_strength(strength)
        check_pixels(pixels)
        space = colour or (SRGB if pixels.shape[2] == 3 else GRAY)
        windows = self.lit_windows(pixels, space, max_memory)
        return enhance_windows(
            pixels, windows, strength, colour=space, meter=meter, light_map=light_map
        )

    @overload
    def enhance(self, photo: PhotoT, strength: float = ...) -> PhotoT: ...
    @overload
    def enhance(
        self, photo: str | Path, strength: float = ..., *, out: None = ...
    ) -> np.ndarray: ...
    @overload
    def enhance(self, photo: str | Path, strength: float = ..., *, out: str | Path) -> Path: ...

    def enhance(
        self,
        photo: np.ndarray | Image.Image | str | Path,
        strength: float = 1.0,
        *,
        out: str | Path | None = None,
    ) -> np.ndarray | Image.Image | Path:
        """Enhance a photograph.

        Args:
            photo: RGB array (H, W, 3), uint8, uint16 or float32 in [0, 1]; PIL image; or a file's
                path.
            strength: 0 leaves the photograph as it is, 1 is the full result, more goes further:
                it is divided by ``1 + strength * (M - 1)``, never by less than 0.01 unless the
                light map ``M`` itself is less.
            out: For a path alone: the file to write. It keeps what the photograph's has, see
                :mod:`rave_mm.photos.writing`; its extension says its format.

        Returns:
            The same kind as `photo`, of its shape and type: arrays are new, PIL images keep their
            alpha and metadata, gray stays gray. For a path: `out`, once it is written, or an RGB
            array (H, W, 3) if that is None.

        Raises:
            TypeError: `photo` is none of these.
            ValueError: A shape, a type, a value or `strength` is out of range, or a PIL image's
                colour profile is damaged.
            UnreadablePhotoError: The file cannot be read.
        """
        if isinstance(photo, str | Path):
            return self._enhance_file(photo, strength, out)
        check_no_out(photo, out)
        if isinstance(photo, Image.Image):
            return self._enhance_image(photo, strength)
        if not isinstance(photo, np.ndarray):
            raise TypeError(
                f"got a {type(photo).__name__}; expected an array, a PIL image, a path, or with "
                "PhotoEnhancer a tensor"
            )
        if photo.ndim != 3 or photo.shape[2] != 3:
            raise ValueError(f"got an array of shape {photo.shape}; expected RGB (H, W, 3)")
        return self.enhance_pixels(photo, strength)

    def _enhance_file(
        self, photo: str | Path, strength: float, out: str | Path | None
    ) -> np.ndarray | Path:
        if out is None:
            return self.enhance_pixels(read_photo(photo), strength)
        loaded = open_photo(photo).load()
        check_can_hold(Path(out), loaded.alpha)
        enhanced = self.enhance_pixels(loaded.values, strength, colour=loaded.colour)
        write_photo(out, enhanced, loaded)
        return Path(out)

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


def check_no_out(photo: object, out: str | Path | None) -> None:
    """Refuse a file to write for what came from no file.

    Raises:
        ValueError: `out` is not None.
    """
    if out is not None:
        raise ValueError(f"out: got {out} for a {type(photo).__name__}; expected it for a path")
