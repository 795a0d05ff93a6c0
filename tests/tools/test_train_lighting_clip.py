"""A very small training of the bundled CLIP, in two processes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.photos.writing import write_photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, names in (("train", ("flowers1", "notre-dame")), ("test", ("church",))):
        for name in names:
            photo = rng.integers(40, 220, (120, 160, 3), dtype=np.uint8)
            write_photo(tmp_path / split / f"{name}.png", photo)
    return tmp_path


def test_two_processes_write_what_open_clip_reads(photos: Path) -> None:
    out = photos / "model"
    command = [sys.executable, "tools/train_lighting_clip.py", "--photos", str(photos)]
    small = ["--steps", "2", "--scenes", "1", "--width", "16"]
    subprocess.run([*command, "--out", str(out), *small], check=True)
    files = sorted(out.iterdir())
    assert [path.name for path in files] == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "report.json",
    ]
    assert len({path.stat().st_mode for path in files}) == 1, "each for whom the others are for"
    assert json.loads((out / "report.json").read_text())["photographs"] == 1
    config = json.loads((out / "open_clip_config.json").read_text())
    assert config["model_cfg"]["vision_cfg"]["width"] == 16
    clip = FrozenCLIP(f"local-dir:{out}")
    assert clip.embed_texts(["a backlit photo"]).norm().item() == pytest.approx(1, abs=1e-5)
