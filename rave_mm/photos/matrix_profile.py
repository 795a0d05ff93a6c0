"""Colour profiles that are a tone curve for each channel and a matrix, computed directly.

So are those of cameras, phones and displays: Display P3, Adobe RGB, ProPhoto. Little CMS takes ten
times as long for them by way of CIELAB, and rounds more.
"""

import functools
import struct
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]

_RGB = (b"r", b"g", b"b")
_FLAT = 1e-4
_LEVELS = 65535
_PARAMETERS = (1, 3, 4, 5, 7)
"""How many numbers a parametric curve of each type has, from 0 on (ICC.1, 10.18)."""


@dataclass(frozen=True)
class ParametricCurve:
    """``y = (a x + b)^g + e`` from ``x = d`` on, and ``y = c x + f`` below."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def to_linear(self, values: FloatArray) -> FloatArray:
        """Of values in [0, 1]."""
        curved = np.maximum(self.a * values + self.b, 0) ** np.float32(self.g) + self.e
        return np.where(values >= self.d, curved, self.c * values + self.f).astype(np.float32)

    def from_linear(self, linear: FloatArray) -> FloatArray:
        """Of values in [0, 1]."""
        root = np.maximum(linear - self.e, 0) ** np.float32(1 / self.g)
        curved = (root - self.b) / self.a
        if self.d <= 0:
            return curved
        bend = max(self.a * self.d + self.b, 0) ** self.g + self.e
        line = (linear - self.f) / self.c if self.c else np.zeros_like(linear)
        return np.where(linear >= bend, curved, line).astype(np.float32)


class SampledCurve:
    """A curve of which some points are given, from 0 to 1.

    Args:
        points: At equal distances, rising.
    """

    def __init__(self, points: NDArray[np.float64]) -> None:
        places = np.linspace(0, 1, len(points))
        steps = np.linspace(0, 1, _LEVELS + 1)
        self._linear = np.interp(steps, places, points).astype(np.float32)
        # By the root, so that there are as many steps for dark values as eyes want.
        self._values = np.interp(steps**2, points, places).astype(np.float32)

    def to_linear(self, values: FloatArray) -> FloatArray:
        """Of values in [0, 1]."""
        return self._linear[_level(values)]

    def from_linear(self, linear: FloatArray) -> FloatArray:
        """Of values in [0, 1]."""
        return self._values[_level(np.sqrt(linear))]


Curve: TypeAlias = ParametricCurve | SampledCurve


@dataclass(frozen=True)
class MatrixProfile:
    """What a profile of a matrix and three curves says.

    Attributes:
        to_xyz: (3, 3), from linear RGB to the profile connection space, XYZ under D50.
        curves: Of red, green and blue.
    """

    to_xyz: NDArray[np.float64]
    curves: tuple[Curve, Curve, Curve]

    @functools.cached_property
    def from_xyz(self) -> NDArray[np.float64]:
        """The inverse of `to_xyz`."""
        return np.linalg.inv(self.to_xyz)

    def to_linear(self, values: NDArray[np.uint8 | np.uint16]) -> FloatArray:
        """Values (H, W, 3) of the file as linear RGB, in [0, 1]."""
        scale = np.float32(1 / np.iinfo(values.dtype).max)
        linear = np.empty(values.shape, np.float32)
        for channel, curve in enumerate(self.curves):
            linear[..., channel] = curve.to_linear(values[..., channel] * scale)
        return linear

    def from_linear(self, linear: FloatArray) -> FloatArray:
        """Linear RGB (H, W, 3) as values in [0, 1]; what is beyond is clipped."""
        values = np.empty(linear.shape, np.float32)
        for channel, curve in enumerate(self.curves):
            values[..., channel] = curve.from_linear(linear[..., channel].clip(0, 1))
        return values


def read_matrix_profile(icc_profile: bytes) -> MatrixProfile | None:
    """Read a profile; None if it is anything but a matrix and three rising curves."""
    if icc_profile[16:20] != b"RGB " or icc_profile[20:24] != b"XYZ ":
        return None
    try:
        tags = _tags(icc_profile)
        if any(name[:3] in (b"A2B", b"D2B") for name in tags):  # tables come before a matrix
            return None
        columns = [struct.unpack_from(">3i", tags[letter + b"XYZ"], 8) for letter in _RGB]
        red, green, blue = (_curve(tags[letter + b"TRC"]) for letter in _RGB)
    except (LookupError, struct.error):
        return None
    to_xyz = np.array(columns).T / 65536
    if red is None or green is None or blue is None or abs(np.linalg.det(to_xyz)) < _FLAT:
        return None
    return MatrixProfile(to_xyz, (red, green, blue))


def _tags(icc_profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc_profile, 128)
    entries = (struct.unpack_from(">4sII", icc_profile, 132 + 12 * index) for index in range(count))
    return {name: icc_profile[start : start + length] for name, start, length in entries}


def multiplied(matrix: NDArray[np.floating], colours: FloatArray) -> FloatArray:
    """A matrix (3, 3) times each colour of (H, W, 3)."""
    planes = [np.ascontiguousarray(colours[..., channel]) for channel in range(3)]
    result = np.empty(colours.shape, np.float32)
    for channel, row in enumerate(matrix.astype(np.float32)):
        result[..., channel] = row[0] * planes[0] + row[1] * planes[1] + row[2] * planes[2]
    return result


def _curve(tag: bytes) -> Curve | None:
    """The curve of a tag; None for one that is not rising, or of another kind."""
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        return None
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return ParametricCurve(1.0)
    points = struct.unpack_from(f">{count}H", tag, 12)
    if count == 1:
        return ParametricCurve(points[0] / 256) if points[0] else None
    rising = np.array(points) / _LEVELS
    return SampledCurve(rising) if (np.diff(rising) >= 0).all() and rising[-1] == 1 else None


def _parametric(tag: bytes) -> ParametricCurve | None:
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind >= len(_PARAMETERS):
        return None
    numbers = [x / 65536 for x in struct.unpack_from(f">{_PARAMETERS[kind]}i", tag, 12)]
    if numbers[0] <= 0 or (kind > 0 and numbers[1] <= 0):  # g and a
        return None
    if kind == 0:
        return ParametricCurve(*numbers)
    if kind < 3:  # level at c up to where the root is zero
        g, a, b, c = [*numbers, 0.0][:4]
        return ParametricCurve(g, a, b, d=-b / a, e=c, f=c)
    return ParametricCurve(*numbers) if numbers[3] >= 0 else None


def _level(values: FloatArray) -> NDArray[np.uint16]:
    return (values * np.float32(_LEVELS) + np.float32(0.5)).astype(np.uint16)
