"""What the losses of a model cost: the table, measured on a model that is hardly one."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from rave_mm.photos.writing import write_photo
from tests.tools.loading import load_tool

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_tool("benchmark_losses")
    monkeypatch.setattr(module, "DEVICE", torch.device("cpu"))
    return module


def test_variants(tool: ModuleType) -> None:
    assert tool.variants(["a", "b", "c"]) == {
        "a alone": (["a"], 0),
        "a + b": (["a", "b"], 0),
        "a + c": (["a", "c"], 0),
        "all": (["a", "b", "c"], 0),
        "all, gradients in each step": (["a", "b", "c"], 1),
    }
    assert list(tool.variants(["a", "b"])) == ["a alone", "all", "all, gradients in each step"]


CONFIG = """
_base_ = "{base}"
model = dict(
    generator=dict(_delete_=True, type="SRCNNNet", channels=(3, 4, 4, 3), upscale_factor=1),
    pixel_loss=dict(terms=dict({terms})),
)
train_dataloader = dict(batch_size=1)
"""


def run(tool: ModuleType, work: Path, terms: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("train/backlit", "train/well-lit"):
        (work / "data/demo" / folder).mkdir(parents=True)
        photo = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
        write_photo(work / "data/demo" / folder / "a.png", photo)
    base = ROOT / "configs/mix/nafnet.py"
    (work / "config.py").write_text(CONFIG.format(base=base, terms=terms))
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "argv", ["benchmark_losses.py", "config.py", "--steps", "1"])
    tool.main()


@pytest.mark.slow
def test_the_table(
    tool: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(tool, tmp_path, "guidance=None", monkeypatch)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert lines[0] == "| terms | ms per step | relative | MiB |"
    titles = [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]]
    assert titles == ["pixel alone", "all", "all, gradients in each step"]
    assert lines[2].split(" | ")[2] == "1.00"
    alone, both, looked_at = (int(line.split(" | ")[3].removesuffix(" |")) for line in lines[2:])
    assert alone < both <= looked_at
    assert not (tmp_path / "work_dirs").exists()
