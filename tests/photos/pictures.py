"""Pictures to read, and parts of the files that hold them."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from rave_mm.photos.icc_profile import Primaries, icc_profile
from rave_mm.photos.reading import open_photo
from rave_mm.photos.writing import write_photo

ADOBE_RGB = icc_profile(
    "Adobe RGB", Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), gamma=563 / 256
)
DISPLAY_P3 = bytes(pyvips.Image.profile_load("p3"))


def noise(height=20, width=30, dtype=np.uint8, channels=3):
    top = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    return rng.integers(0, top, (height, width, channels), dtype=dtype, endpoint=True)


def red(height=20, width=30):
    photo = np.zeros((height, width, 3), np.uint8)
    photo[..., 0] = 200
    return photo


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def turned(photo, orientation):
    """The stored pixels of a photo that a camera marks with this EXIF orientation."""
    stored = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.swapaxes(0, 1),
        6: np.rot90(photo),  # to be turned clockwise when shown
        7: photo[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(photo, -1),
    }[orientation]
    return np.ascontiguousarray(stored)


def write_16_bit_tiff(path, photo, orientation=1, photometric=2):
    """A minimal little-endian TIFF, to depend on no writer."""
    height, width = photo.shape[:2]
    channels = photo.shape[2] if photo.ndim == 3 else 1
    pixels = photo.astype("<u2").tobytes()
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, channels, 16 if channels == 1 else 8 + len(pixels)),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (274, 3, 1, orientation),
        (277, 3, 1, channels),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    bits = struct.pack("<3H", 16, 16, 16)
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(pixels) + len(bits))
    path.write_bytes(head + pixels + bits + directory + bytes(4))


def written_again(path: Path, suffix: str = "") -> Path:
    """A photo written once more, with all that is kept of it."""
    photo = open_photo(path).load()
    target = path.with_name(f"again{suffix or path.suffix}")
    write_photo(target, photo.values, photo)
    return target


def linear(srgb):
    """The light of sRGB's values, odd beyond its limits (IEC 61966-2-1)."""
    size = np.abs(srgb)
    return np.copysign(
        np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4), srgb
    )
