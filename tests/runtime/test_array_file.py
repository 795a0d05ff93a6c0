"""Archives of arrays are read, or refused in words."""

import struct
from pathlib import Path

import numpy as np
import pytest

from rave_mm.runtime.array_file import ArrayFileError, read_npz


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.ones(2))
    return tmp_path / "a.npz"


def test_arrays_by_their_names(path: Path) -> None:
    y, x = read_npz(path, "y", "x")
    assert x.tolist() == [0, 1, 2] and y.tolist() == [1, 1]
    with pytest.raises(ArrayFileError, match=r"a\.npz: .*z is not a file in the archive"):
        read_npz(path, "z")
    with pytest.raises(FileNotFoundError):
        read_npz(path.with_name("none.npz"), "x")


@pytest.mark.parametrize(
    ("field", "value"),
    # In the archive's directory: the version that is needed, flags, compression, and a place.
    [(6, 255), (8, 1), (8, 0x20), (8, 0x40), (10, 99), (42, 0x7FFF)],
)
def test_damage_that_fuzzing_found(field: int, value: int, path: Path) -> None:
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + field : entry + field + 2] = struct.pack("<H", value)
    path.write_bytes(bytes(content))
    with pytest.raises(ArrayFileError, match=r"a\.npz: damaged"):
        read_npz(path, "x", "y")


def test_cut_anywhere(path: Path) -> None:
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ArrayFileError):
            read_npz(path, "x", "y")
