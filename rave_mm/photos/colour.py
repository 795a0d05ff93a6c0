"""What a photograph's values mean in sRGB, by its colour profile, and back.

Networks and CLIP see sRGB. A result keeps the photograph's own profile, so the light map is applied
in sRGB without its limits: a colour that sRGB cannot show has channels below 0 or above 1, and
keeps them.
"""

import io
from functools import lru_cache

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import ImageCms

from rave_mm.photos.matrix_profile import MatrixProfile, multiplied, read_matrix_profile

# The white of the profile connection space (D50), and the primaries of sRGB there, as its ICC
# profile has them: XYZ of red, green and blue, a column each, which add up to white.
_WHITE = np.array([0.9642, 1.0, 0.8249], np.float32)
_PRIMARIES = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
_TO_XYZ = (_PRIMARIES * np.linalg.solve(_PRIMARIES, _WHITE)).astype(np.float32)
_FROM_XYZ = np.linalg.inv(_TO_XYZ.astype(np.float64)).astype(np.float32)
_LAB_BEND, _LAB_SLOPE = 6 / 29, 3 * (6 / 29) ** 2
_SAME = 1.5 / 255


class ColourSpace:
    """The colours of a photograph's values: sRGB, or those of a profile.

    Args:
        icc_profile: The profile; empty for sRGB.
        channels: 1 for gray, 3 for RGB, 4 for CMYK.

    Raises:
        ValueError: The profile is damaged or not for so many channels.
    """

    def __init__(self, icc_profile: bytes = b"", channels: int = 3) -> None:
        self.icc_profile = b""
        self.channels = channels
        self._matrix: MatrixProfile | None = None
        if not icc_profile:
            return
        _check_profile(icc_profile, channels)
        self.icc_profile = icc_profile
        if channels == 4:
            return
        steps = np.linspace(0, 255, 256 if channels == 1 else 9)
        grid = np.stack(np.meshgrid(*[steps] * channels), -1).astype(np.uint8)
        grid = grid.reshape(1, -1, channels)
        srgb = self.to_srgb_by_little_cms(grid)
        # There are many profiles of sRGB, which differ by rounding.
        if np.abs(srgb - grid / np.float32(255)).max() < _SAME:
            self.icc_profile = b""
        elif (matrix := read_matrix_profile(icc_profile)) is not None:
            self._matrix = matrix
            # Beyond sRGB, CIELAB as Little CMS has it may have come to its end; and it rounds what
            # is dark.
            within = ((srgb >= 0) & (srgb <= 1)).all(-1)
            differences = np.abs(_decode(self.to_srgb(grid)) - _decode(srgb))[within]
            if not differences.max(initial=0) <= _SAME:
                self._matrix = None  # Little CMS reads it in another way

    @property
    def is_srgb(self) -> bool:
        """Whether values are sRGB as they are."""
        return not self.icc_profile

    def to_srgb(self, values: NDArray[np.uint8 | np.uint16]) -> NDArray[np.float32]:
        """Values as sRGB.

        Args:
            values: (H, W, C), of as many channels as the colour space has; uint8, uint16, or for
                sRGB alone float32 in [0, 1].

        Returns:
            RGB (H, W, 3); 0 to 1 for colours that sRGB can show, beyond for others.
        """
        if self.is_srgb:
            srgb = values.astype(np.float32) / np.float32(full_scale(values.dtype))
            return srgb if srgb.shape[2] == 3 else np.repeat(srgb, 3, axis=2)
        if self._matrix is not None:
            linear = self._matrix.to_linear(values)
            return _encode(multiplied(_FROM_XYZ @ self._matrix.to_xyz, linear))
        return self.to_srgb_by_little_cms(values)

    def to_srgb_by_little_cms(self, values: NDArray[np.uint8 | np.uint16]) -> NDArray[np.float32]:
        """:meth:`to_srgb` by way of CIELAB: of a matrix and curves it is slower, and rounds more.

        Photographs are read so for data sets: those that ours were trained and measured with were.

        Raises:
            pyvips.Error: Values of sRGB, which have no profile.
        """
        image = image_of(values)
        if values.shape[2] == 4:
            image = image.copy(interpretation="cmyk")
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", self.icc_profile)
        lab = pixels_of(image.icc_import(pcs="lab", intent="relative", embedded=True))
        if self.channels == 1:
            lab[..., 1:] = 0  # but for rounding
        return _encode(_xyz(lab) @ _FROM_XYZ.T)

    def from_srgb(
        self,
        srgb: NDArray[np.float32],
        values: NDArray[np.uint8 | np.uint16],
        before: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8 | np.uint16]:
        """sRGB as the values of this colour space, for a picture that came out of such values.

        Args:
            srgb: RGB (H, W, 3), as :meth:`to_srgb` gives it.
            values: What the picture was, (H, W, C). Where nothing was changed, just these are
                returned, whatever the profile rounds.
            before: `values` as sRGB, if that is known.

        Returns:
            (H, W, C), of the type of `values`.
        """
        top = full_scale(values.dtype)
        if self.is_srgb:
            scaled = np.clip(srgb[..., : self.channels] * np.float32(top), 0, top)
            return (np.round(scaled) if top > 1 else scaled).astype(values.dtype)
        if before is None:
            before = self.to_srgb(values)
        if self._matrix is not None:
            own = multiplied(self._matrix.from_xyz @ _TO_XYZ, _decode(srgb))
            shares = self._matrix.from_linear(own)
            result = np.round(shares * np.float32(top)).astype(values.dtype)
            r, g, b = np.moveaxis(srgb == before, 2, 0)  # `all` over so short an axis is slow
            return np.where((r & g & b)[..., None], values, result)
        scale = 65535 // top
        changed = self._deep_values(srgb) - self._deep_values(before)
        result = np.round((values.astype(np.float32) * scale + changed) / scale)
        return np.clip(result, 0, top).astype(values.dtype)

    def _deep_values(self, srgb: NDArray[np.float32]) -> NDArray[np.float32]:
        lab = _lab(_decode(srgb) @ _TO_XYZ.T)
        height, width = lab.shape[:2]
        image = pyvips.Image.new_from_memory(
            np.ascontiguousarray(lab, np.float32).data, width, height, 3, "float"
        ).copy(interpretation="lab")
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", self.icc_profile)
        return pixels_of(image.icc_export(intent="relative", depth=16)).astype(np.float32)


def _check_profile(icc_profile: bytes, channels: int) -> None:
    """Refuse a profile that cannot be used, for which libvips would take sRGB without a word."""
    modes = {1: "L", 3: "RGB", 4: "CMYK"}
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        srgb = ImageCms.createProfile("sRGB")
        ImageCms.buildTransform(profile, srgb, modes[channels], "RGB")
    except (OSError, ImageCms.PyCMSError) as error:
        raise ValueError(f"its colour profile is damaged or not for {channels} channels") from error


def full_scale(dtype: np.dtype) -> int:
    """What stands for white: 1 in floating point, else the largest value of the type."""
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)


@lru_cache(maxsize=32)
def colour_space(icc_profile: bytes, channels: int) -> ColourSpace:
    """A :class:`ColourSpace`, built once for each profile."""
    return ColourSpace(icc_profile, channels)


SRGB = ColourSpace()
GRAY = ColourSpace(channels=1)


def pixels_of(image: pyvips.Image) -> NDArray:
    """Compute a libvips image, as an array (H, W, C).

    In this thread alone: libvips keeps threads of its own, which a process that forks, such as a
    data loader's, would wait for in its child for ever.
    """
    kinds = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
    pixels = np.empty((image.height, image.width, image.bands), kinds[image.format])
    region = pyvips.Region.new(image)
    rows = 64
    for top in range(0, image.height, rows):
        part = pixels[top : top + rows]
        data = region.fetch(0, top, image.width, len(part))
        part[:] = np.frombuffer(data, part.dtype).reshape(part.shape)
    return pixels


def image_of(values: NDArray[np.uint8 | np.uint16 | np.float32]) -> pyvips.Image:
    """An array (H, W, C) as a libvips image: gray, gray and alpha, RGB or RGBA."""
    height, width, channels = values.shape
    kind, gray, colour = {
        "uint8": ("uchar", "b-w", "srgb"),
        "uint16": ("ushort", "grey16", "rgb16"),
        "float32": ("float", "multiband", "multiband"),
    }[values.dtype.name]
    image = pyvips.Image.new_from_memory(
        np.ascontiguousarray(values).data, width, height, channels, kind
    )
    return image.copy(interpretation=gray if channels < 3 else colour)


def _encode(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tone curve of sRGB (IEC 61966-2-1), odd about 0 and beyond 1."""
    size = np.abs(linear)
    curve = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(curve, linear).astype(np.float32)


def _decode(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    size = np.abs(srgb)
    curve = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(curve, srgb).astype(np.float32)


def _xyz(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB under D50 as XYZ, where Y of white is 1."""
    y = (lab[..., 0] + 16) / 116
    roots = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    low = _LAB_SLOPE * (roots - 4 / 29)
    return (np.where(roots > _LAB_BEND, roots**3, low) * _WHITE).astype(np.float32)


def _lab(xyz: NDArray[np.float32]) -> NDArray[np.float32]:
    share = xyz / _WHITE
    roots = np.where(share > _LAB_BEND**3, np.cbrt(share), share / _LAB_SLOPE + 4 / 29)
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).astype(np.float32)
