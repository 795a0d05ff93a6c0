"""tools/train.py and tools/test.py end to end.

Train, resume, test, on a set of a few tiny photos.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from rave_mm.datasets.synthetic_backlight import smooth_noise, synthetic_backlight
from rave_mm.image_files import read_photo, write_photo

TOOLS = Path(__file__).parents[2] / "tools"
CONFIG = "demo/rave_demo.py"


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tool_{name}", TOOLS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    tool(name).main()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a demo set of three training and two test photos."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, ground_truth, count in (
        ("train/backlit", "train/well-lit", 3),
        ("test/resize_input", "test/resize_gt", 2),
    ):
        (tmp_path / "data/demo" / folder).mkdir(parents=True)
        (tmp_path / "data/demo" / ground_truth).mkdir(parents=True)
        for index in range(count):
            noise = np.stack([smooth_noise(40, 56, 5, rng) for _ in range(3)], -1)
            photo = np.clip((180, 140, 90) + 40 * noise, 0, 255).astype(np.uint8)
            write_photo(tmp_path / "data/demo" / ground_truth / f"{index}.png", photo)
            write_photo(
                tmp_path / "data/demo" / folder / f"{index}.png", synthetic_backlight(photo, rng)
            )
    return tmp_path


def options(iterations: int) -> list[str]:
    return [
        "--cfg-options",
        f"train_cfg.phases.0.iterations={iterations}",
        "train_cfg.val_interval=2",
        "default_hooks.checkpoint.interval=2",
        "default_hooks.logger.interval=1",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        "train_dataloader.batch_size=2",
        "train_dataloader.dataset.pipeline.1.size=32",
        "param_scheduler=[]",
    ]


def test_train_resume_and_test(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *options(2))
    assert (work / "run/iter_2.pth").is_file()
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", "--resume", *options(4))
    assert (work / "run/last_checkpoint").read_text().endswith("iter_4.pth")

    logs = [
        json.loads(line)
        for f in sorted((work / "run").glob("*/vis_data/scalars.json"))
        for line in f.read_text().splitlines()
    ]
    steps = [line["step"] for line in logs if "loss_guidance" in line]
    assert steps == [1, 2, 3, 4]
    assert all(
        {"loss", "loss_guidance", "loss_identity"} <= line.keys() for line in logs if "loss" in line
    )
    assert [line["step"] for line in logs if "PSNR" in line] == [2, 4]
    assert list((work / "run").glob("best_PSNR_iter_*.pth"))
    assert list((work / "run").glob("*/vis_data/events.out.tfevents.*"))
    picture = read_photo(next((work / "run").glob("*/vis_data/vis_image/0_*.png")))
    assert picture.shape == (40, 3 * 56, 3)
    red, green, blue = picture.reshape(-1, 3).mean(0)
    assert red > green > blue, "the pictures' channels are swapped"

    saved = torch.load(work / "run/iter_4.pth", weights_only=False)["state_dict"]
    assert saved["losses.guidance.vector"].norm().item() == pytest.approx(1, abs=1e-5)

    run(
        monkeypatch,
        "test",
        CONFIG,
        work / "run/iter_4.pth",
        "--work-dir",
        work / "tested",
        "--out",
        work / "figures.json",
    )
    figures = json.loads((work / "figures.json").read_text())
    assert set(figures) == {"PSNR", "SSIM", "input/PSNR", "input/SSIM"}
    assert figures["PSNR"] == pytest.approx(logs[-1]["PSNR"], abs=1e-3)


def test_mixed_precision_needs_a_gpu(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        run(monkeypatch, "train", CONFIG, "--amp")
    assert "--amp needs a GPU" in capsys.readouterr().err


def test_a_published_checkpoint_is_tested_as_it_is(
    work: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the training photos nor a CLIP is needed, only the test photos."""
    (work / "data/demo/train").rename(work / "elsewhere")
    run(
        monkeypatch,
        "test",
        CONFIG,
        reference / "rave_unpaired.pth",
        "--work-dir",
        work / "tested",
        "--out",
        work / "figures.json",
    )
    figures = json.loads((work / "figures.json").read_text())
    assert figures["PSNR"] > figures["input/PSNR"] + 1


def test_a_checkpoint_of_something_else_is_refused(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, work / "other.pth")
    with pytest.raises(ValueError, match="fc.weight"):
        run(monkeypatch, "test", CONFIG, work / "other.pth", "--work-dir", work / "tested")


def test_a_missing_checkpoint_is_told(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "test", CONFIG, "nowhere.pth")
    assert "no checkpoint nowhere.pth; tools/train.py writes them" in capsys.readouterr().err


def test_missing_photos_are_told_before_training(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "data/demo/train/well-lit").rename(work / "elsewhere")
    with pytest.raises(FileNotFoundError, match="well-lit"):
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *options(2))
