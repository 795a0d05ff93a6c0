"""tools/export_onnx.py: a checked file, or a word about why there is none."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rave_mm.networks.light_map_unet import LightMapUNet
from tests.needs import needs_onnx
from tests.tools.loading import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("export_onnx")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(LightMapUNet(start="identity").state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


@pytest.mark.slow
@needs_onnx
def test_export(
    tool: ModuleType,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = checkpoint.parent / "new" / "rave.onnx"
    arguments = ["export_onnx.py", checkpoint, "--out", out, "--padding-mode", "zeros"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    tool.main()
    assert [path.name for path in out.parent.iterdir()] == ["rave.onnx"]
    assert f"{out}: 1.5 MB; differs from PyTorch by " in capsys.readouterr().out


def test_the_network_is_exported_with_the_padding_that_is_asked_for(
    tool: ModuleType, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "rave.onnx"

    def export(network: LightMapUNet, path: Path) -> float:
        path.write_text(network.conv_in.padding_mode)
        return 0.0

    monkeypatch.setattr(tool, "export_onnx", export)
    for asked, padding in ([], "reflect"), (["--padding-mode", "zeros"], "zeros"):
        monkeypatch.setattr(
            sys, "argv", ["export_onnx.py", str(checkpoint), "--out", str(out), *asked]
        )
        tool.main()
        assert out.read_text() == padding


def test_what_is_told(
    tool: ModuleType, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = str(tmp_path / "rave.onnx")
    monkeypatch.setattr(sys, "argv", ["export_onnx.py", str(tmp_path / "no.pth"), "--out", out])
    with pytest.raises(SystemExit, match="no checkpoint"):
        tool.main()
    monkeypatch.setattr(sys, "argv", ["export_onnx.py", str(checkpoint), "--out", out])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SystemExit, match=r"onnxruntime.*pip install '\.\[export\]'"):
        tool.main()
    assert not Path(out).exists()
