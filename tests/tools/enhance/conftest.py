"""Photos, a network that doubles brightness, and tools/enhance.py with it."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.writing import write_photo
from tests.tools.enhance.pictures import dark
from tests.tools.loading import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("enhance")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = LightMapUNet(start="identity")
    with torch.no_grad():
        network.conv_out.bias.fill_(0.5)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos/trip").mkdir(parents=True)
    write_photo(tmp_path / "photos/a.png", dark(dtype=np.uint16))
    write_photo(tmp_path / "photos/b.jpg", dark(40, 20))
    write_photo(tmp_path / "photos/trip/c.png", dark(7, 50))
    return tmp_path / "photos"


@pytest.fixture
def enhance(
    tool: ModuleType,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., SimpleNamespace]:
    """Runs the tool in this process, on the CPU, with `checkpoint` unless it is given another.

    It returns `status`, what the tool ended with (a message where it refuses), and what it printed:
    `out` and `err`.
    """

    def run(*arguments: object) -> SimpleNamespace:
        given = ["--checkpoint", checkpoint, "--device", "cpu", *arguments]
        monkeypatch.setattr(sys, "argv", ["enhance.py", *map(str, given)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            tool.main()
        printed = capsys.readouterr()
        return SimpleNamespace(status=ended.value.code, out=printed.out, err=printed.err)

    return run
