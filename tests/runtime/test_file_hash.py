import hashlib
from pathlib import Path

import pytest

from rave_mm.runtime.file_hash import file_sha256


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1])
def test_it_is_that_of_the_whole_content(size: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "file").write_bytes(content)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
