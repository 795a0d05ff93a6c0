"""Writes ICC profiles of colours that a file declares in other words.

Everything else here, and every program that opens a result, knows what to do with a profile.
"""

import struct
from dataclasses import astuple, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Point: TypeAlias = tuple[float, float]

D65: Point = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])  # the white of the profile connection space
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@dataclass(frozen=True)
class Primaries:
    """Chromaticities (x, y) of CIE 1931."""

    red: Point
    green: Point
    blue: Point
    white: Point = D65

    def are_near(self, others: "Primaries") -> bool:
        """Whether nobody would see the difference: programs round them in several ways."""
        pairs = zip(astuple(self), astuple(others), strict=True)
        return all(np.allclose(own, other, rtol=0, atol=0.002) for own, other in pairs)

    def to_xyz(self) -> NDArray[np.float64]:
        """(3, 3): XYZ of red, green and blue, a column each, which add up to white with Y = 1.

        Raises:
            ValueError: The chromaticities are on a line, or one has no y.
        """
        points = np.array([self.red, self.green, self.blue, self.white]).T
        x, y = points
        if (y <= 0).any():
            raise ValueError("a primary colour without luminance")
        xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
        try:
            shares = np.linalg.solve(xyz[:, :3], xyz[:, 3])
        except np.linalg.LinAlgError:
            raise ValueError("primary colours on a line") from None
        return np.asarray(xyz[:, :3] * shares)


BT709 = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def icc_profile(name: str, primaries: Primaries, gamma: float | None, channels: int = 3) -> bytes:
    """An ICC profile, version 4.

    Args:
        name: What programs show.
        primaries: Of RGB; of gray, its white.
        gamma: Linear light is the value to this power; None for the tone curve of sRGB.
        channels: 1 for gray, 3 for RGB.

    Raises:
        ValueError: Primaries that span no colours.
    """
    xyz = primaries.to_xyz()
    white = xyz.sum(1)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
    curve = b"para" + bytes(4)
    curve += struct.pack(">HH", 3 if gamma is None else 0, 0)
    curve += _fixed(_SRGB_CURVE if gamma is None else (gamma,))
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _xyz_tag(_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(adapted.ravel()),
    }
    if channels == 1:
        tags[b"kTRC"] = curve
    else:
        for letter, column in zip((b"r", b"g", b"b"), (adapted @ xyz).T, strict=True):
            tags[letter + b"XYZ"] = _xyz_tag(column)
            tags[letter + b"TRC"] = curve
    return _assembled(b"GRAY" if channels == 1 else b"RGB ", tags)


def _assembled(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for signature, tag in tags.items():
        table += signature + struct.pack(">II", start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    size = start + len(data)
    header = struct.pack(">I4xI4s4s4s", size, 0x04300000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(_D50)
    return header.ljust(128, b"\0") + table + data


def _xyz_tag(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: NDArray[np.float64] | tuple[float, ...]) -> bytes:
    """As 32 bits of which 16 are behind the point."""
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded
