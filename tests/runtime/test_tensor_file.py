"""Files of tensors are read, or refused in words."""

import re
from pathlib import Path

import pytest
import torch

from rave_mm.runtime.tensor_file import TensorFileError, read_tensors


@pytest.mark.parametrize("new", [True, False])
def test_tensors_are_read(new: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"x": torch.ones(2), "n": 3}, path, _use_new_zipfile_serialization=new)
    found = read_tensors(path)
    assert torch.equal(found["x"], torch.ones(2)) and found["n"] == 3
    content = path.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 50)):
        path.write_bytes(content[:length])
        with pytest.raises(TensorFileError, match=r"a\.pth: (cut off|it asks for)"):
            read_tensors(path)


def test_a_storage_that_is_not_there(tmp_path: Path) -> None:
    """Found by fuzzing: PyTorch asserts."""
    path = tmp_path / "a.pth"
    torch.save({"x": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    key = re.search(rb"\d{8,}", content)  # as the tensor names it; the storages are named later
    assert key and content.count(key[0]) == 2
    path.write_bytes(content.replace(key[0], b"9" * len(key[0]), 1))
    with pytest.raises(TensorFileError, match="cut off, or no file that PyTorch wrote"):
        read_tensors(path)


def test_a_missing_one_keeps_its_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.pth")
