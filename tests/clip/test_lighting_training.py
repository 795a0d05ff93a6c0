"""What climbs, what learns slowly, and a very small training, twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from torch.nn.functional import normalize

from rave_mm.clip.lighting_model import EMBEDDING_SIZE, IMAGE_SIZE, architecture, embed_pictures
from rave_mm.clip.lighting_training import (
    STAGES,
    _optimizer,
    climbing_pictures,
    full_captions,
    train,
)
from rave_mm.datasets.lighting_captions import CAPTIONS
from rave_mm.datasets.lighting_scenes import LESSONS
from rave_mm.photos.writing import write_photo


def test_pictures_that_climb_score_higher() -> None:
    model = CLIP(**architecture(8))
    pictures = torch.rand(2 * LESSONS, 3, IMAGE_SIZE, IMAGE_SIZE)
    direction = normalize(torch.randn(EMBEDDING_SIZE), dim=0)
    rng = np.random.default_rng(0)
    climbed, climbers = climbing_pictures(model, pictures, direction, direction, rng)
    assert climbed.shape == pictures[:2].shape and len(climbers) == 2
    assert [int(place) // LESSONS for place in climbers] == [0, 1]
    assert model.training
    model.eval()
    with torch.no_grad():
        before = embed_pictures(model, pictures[climbers]) @ direction
        assert (embed_pictures(model, climbed) @ direction > before).all()


def test_a_slower_rate_is_the_attentions_alone() -> None:
    model = CLIP(**architecture(8))
    optimizer = _optimizer(model, 1e-3)
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


def test_captions_tell_what_a_photo_shows_where_that_is_known() -> None:
    light = CAPTIONS.index("a photo with a very dark foreground and an almost black background")
    told = full_captions(torch.tensor([light, light]), torch.tensor([1, -1]), ["a cat", "a tower"])
    assert told == [
        "a photo of a tower with a very dark foreground and an almost black background",
        CAPTIONS[light],
    ]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("flowers1", "notre-dame"):
        write_photo(tmp_path / f"{name}.png", rng.integers(40, 220, (120, 160, 3), dtype=np.uint8))
    return tmp_path


def test_the_same_seed_gives_the_same_weights(photos: Path) -> None:
    stages = [replace(stage, steps=2, climbing=1.0) for stage in STAGES[-1:]]
    first, second, other = (train(photos, 1, seed, stages, 16).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["visual.conv1.weight"], other["visual.conv1.weight"])
