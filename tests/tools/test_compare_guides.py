"""tools/compare_guides.py on two photos: tables, a record, and mistakes in a sentence."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.clip.coloured_blocks import write_coloured_blocks
from tests.tools.loading import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("compare_guides")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_coloured_blocks(folder, 2)
    return folder


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["compare_guides.py", *map(str, arguments)])
    tool.main()


def test_it_prints_what_it_writes(
    tool: ModuleType,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = tmp_path / "report.json"
    run(tool, monkeypatch, "mine=lighting-clip", "--photos", photos, "--out", record)
    report = json.loads(record.read_text())["mine"]
    printed = capsys.readouterr().out
    assert f"| backlit pictures | {report['fooled']['climbing']['0']:.2f} dB |" in printed
    noise = report["fooled"]["harms"]["noise"]
    cells = [f"{100 * s['residual']:.0f} / {100 * s['words']:.0f}" for s in noise.values()]
    assert f"| noise | {' | '.join(cells)} |" in printed
    assert "| *vignette* |" in printed and "Of 2 photographs" in printed


def test_mistakes_are_told_in_a_sentence(
    tool: ModuleType, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=r"no photograph in .*prepare_data\.py lighting-clip"):
        run(tool, monkeypatch, "--photos", tmp_path)
    with pytest.raises(SystemExit, match="RN50"):
        run(tool, monkeypatch, "RN50", "--photos", photos, "--out", tmp_path / "report.json")
    assert not (tmp_path / "report.json").exists()
