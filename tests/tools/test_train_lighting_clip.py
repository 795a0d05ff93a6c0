"""What climbs, and a very small training."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.photos.writing import write_photo
from tests.tools.loading import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("train_lighting_clip")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, names in (("train", ("flowers1", "notre-dame")), ("test", ("church",))):
        for name in names:
            photo = rng.integers(40, 220, (120, 160, 3), dtype=np.uint8)
            write_photo(folder / split / f"{name}.png", photo)
    return folder


def test_pictures_that_climb_score_higher(tool: ModuleType) -> None:
    torch.manual_seed(0)
    model = tool.CLIP(**tool.architecture(8))
    pictures = torch.rand(2 * tool.LESSONS, 3, tool.IMAGE_SIZE, tool.IMAGE_SIZE)
    direction = normalize(torch.randn(tool.EMBEDDING_SIZE), dim=0)
    rng = np.random.default_rng(0)
    climbed, climbers = tool.climbing_pictures(model, pictures, direction, direction, rng)
    assert climbed.shape == pictures[:2].shape and len(climbers) == 2
    assert [int(place) // tool.LESSONS for place in climbers] == [0, 1]
    assert model.training
    model.eval()
    with torch.no_grad():
        before = tool.embed_pictures(model, pictures[climbers]) @ direction
        assert (tool.embed_pictures(model, climbed) @ direction > before).all()


def test_a_slower_rate_is_the_attentions_alone(tool: ModuleType) -> None:
    model = tool.CLIP(**tool.architecture(8))
    optimizer = tool._optimizer(model, 1e-3)
    rates = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert len(rates) == sum(p.requires_grad for p in model.parameters())
    assert rates[id(model.visual.conv1.weight)] == (1e-3, 0.05)
    assert rates[id(model.visual.bn1.weight)] == (1e-3, 0)
    assert rates[id(model.visual.attnpool.q_proj.weight)] == (2.5e-4, 0.05)
    assert rates[id(model.visual.attnpool.q_proj.bias)] == (2.5e-4, 0)


def test_the_same_seed_gives_the_same_weights(tool: ModuleType, photos: Path) -> None:
    stages = [replace(stage, steps=2, climbing=1.0) for stage in tool.STAGES[-1:]]
    first, second, other = (
        tool.train(photos / "train", 1, seed, stages).state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["visual.conv1.weight"], other["visual.conv1.weight"])


def test_two_processes_write_what_open_clip_reads(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    command = [sys.executable, "tools/train_lighting_clip.py", "--photos", str(photos)]
    small = ["--steps", "2", "--scenes", "1", "--width", "16"]
    subprocess.run([*command, "--out", str(out), *small], check=True)
    assert sorted(path.name for path in out.iterdir()) == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "report.json",
    ]
    assert json.loads((out / "report.json").read_text())["photographs"] == 1
    config = json.loads((out / "open_clip_config.json").read_text())
    assert config["model_cfg"]["vision_cfg"]["width"] == 16
    clip = FrozenCLIP(f"local-dir:{out}")
    assert clip.embed_texts(["a backlit photo"]).norm().item() == pytest.approx(1, abs=1e-5)
