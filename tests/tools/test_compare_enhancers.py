"""tools/compare_enhancers.py on a tiny set: a table, a record and a contact sheet."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.tools.loading import load_tool


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loaded = load_tool("compare_enhancers")
    # The pictures of `halo` are large.
    monkeypatch.setattr(loaded, "halo", lambda enhance: 0.25)
    return loaded


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """A checkpoint of a network that doubles brightness, as the backlit photos want it."""
    network = LightMapUNet(start="identity")
    with torch.no_grad():
        network.conv_out.weight.zero_()
        network.conv_out.bias.fill_(0.5)
    torch.save(network.state_dict(), tmp_path / "doubling.pth")
    return tmp_path / "doubling.pth"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    # NIQE wants two blocks of 96x96.
    photo = np.random.default_rng(0).integers(0, 120, (120, 200, 3), dtype=np.uint8)
    for name in ("soft", "subjects"):
        for side, values in (("backlit", photo), ("well-lit", 2 * photo)):
            folder = tmp_path / "set/test" / name / side
            folder.mkdir(parents=True)
            write_photo(folder / "a.png", values)
    (tmp_path / "set/test/real").mkdir()
    write_photo(tmp_path / "set/test/real/b.png", photo)
    return tmp_path / "set"


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["compare_enhancers.py", *map(str, arguments)])
    tool.main()


def test_a_comparison(
    tool: ModuleType,
    doubling: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    run(tool, monkeypatch, f"mine={doubling}", "--data", data, "--out", out, "--device", "cpu")
    figures = json.loads((out / "test.json").read_text())
    assert list(figures) == ["input", "shadows slider", "mine"]
    # Doubled, as they were halved: exact, rounding aside.
    assert figures["mine"]["soft/psnr"] > 40 > 20 > figures["input"]["soft/psnr"]
    assert figures["input"]["good/median psnr"] == 100
    assert figures["mine"]["halo"] == 0.25
    told = capsys.readouterr().out
    assert f"{figures['mine']['soft/psnr']:.2f} / {figures['mine']['soft/ssim']:.3f}" in told
    assert figures["input"]["real/newly clipped"] == 0 < figures["input"]["real/niqe"]
    # Three columns of 256 pixels.
    assert read_photo(out / "halo.png").shape == (24 + 3 * (192 + 4), 768, 3)
    assert read_photo(out / "test_real.jpg").shape == (24 + 154 + 4, 768, 3)


def test_without_the_set(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"no .*nowhere/val; expected what `python tools/prepare"):
        run(tool, monkeypatch, "--data", tmp_path / "nowhere", "--split", "val")


def test_a_checkpoint_that_is_not_there(
    tool: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=r"compare_enhancers\.py: no checkpoint none\.pth"):
        run(tool, monkeypatch, "none.pth", "--data", data)
