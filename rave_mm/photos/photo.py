"""A photograph's file, opened: its header is read, its pixels wait to be asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray
from typing_extensions import Self

from rave_mm.photos.colour import SRGB, ColourSpace, colour_space, pixels_of
from rave_mm.photos.errors import UnreadablePhotoError, reason
from rave_mm.photos.formats import Format
from rave_mm.photos.metadata import Metadata

Values: TypeAlias = NDArray[np.uint8 | np.uint16]

_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_SHRINKS = (8, 4, 2)


@dataclass(frozen=True)
class LoadedPhoto:
    """All that is kept of a photograph.

    Attributes:
        values: (H, W, 3) RGB or (H, W, 1) gray, upright, uint8 or uint16, in the photograph's own
            colours.
        alpha: (H, W), of the same type, or None.
        colour: What the values mean.
        metadata: What else the file holds.
        lossless: Whether a format that has both was written without loss.
    """

    values: Values
    alpha: Values | None = None
    colour: ColourSpace = SRGB
    metadata: Metadata = field(default_factory=Metadata)
    lossless: bool = False


@dataclass(frozen=True)
class Header:
    """What a file's header says, as it is stored there.

    Attributes:
        height: Of the stored pixels, which may lie on their side.
        width: Likewise.
        channels: 1 for gray, 3 for RGB, 4 for CMYK.
        alpha: Whether there is transparency beside.
        deep: Whether pixels come as uint16.
        orientation: EXIF's, 1 to 8.
        icc_profile: Colour profile; empty if there is none.
        shrinks: Whether pixels can be had at a half, a quarter and an eighth of their size.
        by_rows: Whether they are decoded row by row as they are asked for; else all at once.
        lossless: Whether a format that has both was written without loss.
        notes: What of the file is not read, in words.
    """

    height: int
    width: int
    channels: int = 3
    alpha: bool = False
    deep: bool = False
    orientation: int = 1
    icc_profile: bytes = b""
    shrinks: bool = False
    by_rows: bool = True
    lossless: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Photo:
    """A photograph's file, of which no more than the header has been read.

    :func:`rave_mm.photos.reading.open_photo` makes one.

    Attributes:
        path: The file.
        format: Its format by its contents.
        header: What is stored.
        stream: Gives the stored pixels as libvips' image, at the inverse of a size: 1, or 2, 4 or
            8 if it shrinks. Nothing is decoded before rows are asked for, and then these alone,
            from the top down.
        read_metadata: Gives what the file holds beside its pixels, fit for an upright result.
        colour: What its values mean. Those of CMYK are given as sRGB.
        notes: What of the file is not kept, in words; empty if all is.
    """

    path: Path
    format: Format
    header: Header
    stream: Callable[[int], pyvips.Image] = field(repr=False)
    read_metadata: Callable[[], Metadata] = field(repr=False)
    colour: ColourSpace = field(init=False, repr=False, default=SRGB)
    notes: tuple[str, ...] = field(init=False, default=())
    _stored_colour: ColourSpace = field(init=False, repr=False, default=SRGB)

    def __post_init__(self) -> None:
        channels, notes = self.header.channels, list(self.header.notes)
        usual, name = b"", "sRGB"
        if channels == 4:
            notes.append("CMYK became sRGB")
            usual, name = bytes(pyvips.Image.profile_load("cmyk")), "those of offset printing"
        try:
            stored = colour_space(self.header.icc_profile or usual, channels)
        except ValueError as error:
            notes.append(f"{error}: its values are taken for {name}")
            stored = colour_space(usual, channels)
        object.__setattr__(self, "_stored_colour", stored)
        object.__setattr__(self, "colour", SRGB if channels == 4 else stored)
        object.__setattr__(self, "notes", tuple(notes))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        stored = self.header.height, self.header.width
        return stored[::-1] if self.header.orientation in _TURNED else stored

    def pixels(self, at_least: int | None = None) -> tuple[Values, Values | None]:
        """Decode the photograph.

        Args:
            at_least: For those who reduce it anyway: a JPEG file is decoded at a half, a quarter
                or an eighth of its size, which is much faster, as long as its short side keeps so
                many pixels. None for its full size.

        Returns:
            Values and alpha, as :class:`LoadedPhoto` has them.

        Raises:
            UnreadablePhotoError: The file is damaged, or was changed since it was opened.
        """
        header = self.header
        shrink = 1
        if at_least is not None and header.shrinks:
            shrink = next((by for by in _SHRINKS if min(self.size) // by >= at_least), 1)
        try:
            stored = pixels_of(self.stream(shrink))
        except pyvips.Error as error:
            told = f"damaged or cut short: {reason(error)}"
            raise UnreadablePhotoError(self.path, told) from error
        stored = _upright(stored, header.orientation)
        values = stored[..., : header.channels]
        if header.channels == 4:
            values = SRGB.from_srgb(self._stored_colour.to_srgb(values), values[..., :3])
        alpha = np.ascontiguousarray(stored[..., -1]) if header.alpha else None
        return np.ascontiguousarray(values), alpha

    def decoded_once(self) -> Self:
        """For who streams it several times: itself, held in memory if it is decoded all at once."""
        if self.header.by_rows:
            return self
        image = self.stream(1).copy_memory()
        return replace(self, stream=lambda shrink: image)

    def shrink_for(self, long_side: int) -> int:
        """By how much to shrink :attr:`stream` so that the long side keeps so many pixels."""
        if not self.header.shrinks:
            return 1
        return next((by for by in _SHRINKS if max(self.size) // by >= long_side), 1)

    def load(self) -> LoadedPhoto:
        """Read everything.

        Raises:
            UnreadablePhotoError: The pixels, or what stands beside them, are damaged.
        """
        metadata = self.read_metadata()
        return LoadedPhoto(*self.pixels(), self.colour, metadata, self.header.lossless)


def _upright(pixels: Values, orientation: int) -> Values:
    """Undo an EXIF orientation (1 to 8; others leave the picture as it is)."""
    if orientation in _TURNED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
