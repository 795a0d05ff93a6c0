"""What tools/export_onnx.py says where there is nothing to export; what it exports is tested in
tests/inference/test_onnx_export.py."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rave_mm.networks.light_map_unet import LightMapUNet
from tests.tools.loading import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("export_onnx")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(LightMapUNet(start="identity").state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_what_is_told(
    tool: ModuleType, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = str(tmp_path / "rave.onnx")
    monkeypatch.setattr(sys, "argv", ["export_onnx.py", str(tmp_path / "no.pth"), "--out", out])
    with pytest.raises(SystemExit, match="no checkpoint"):
        tool.main()
    monkeypatch.setattr(
        sys, "argv", ["export_onnx.py", str(checkpoint), "--out", out, "--padding-mode", "zeros"]
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SystemExit, match=r"onnxruntime.*pip install '\.\[export\]'"):
        tool.main()
    assert not Path(out).exists()
