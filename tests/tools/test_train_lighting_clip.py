"""The losses by hand, the lessons as they are numbered, and a very small training."""

import json
import math
import sys
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


def test_a_guide_is_to_see_the_better_lit_of_a_pair_ahead(tool: ModuleType) -> None:
    well_lit = torch.tensor([1.0, 0.0, 0.2, 0.7, 0.5, 0.5])
    #                 0.3 asked, 0.1 there; 0.15 asked, 0.4 there; nothing asked
    scores = torch.tensor([0.5, 0.4, 0.1, 0.5, 0.9, 0.1], requires_grad=True)
    loss = tool.guide_loss(scores, well_lit, margin=0.3)
    assert loss.item() == pytest.approx(0.2 / 3)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient.tolist() == pytest.approx([-1 / 3, 1 / 3, 0, 0, 0, 0])
    behind = tool.guide_loss(torch.tensor([0.4, 0.5]), torch.tensor([0.0, 1.0]), margin=0.3)
    assert behind.item() == pytest.approx(0.2)


def test_the_residual_leads_from_backlit_to_well_lit(tool: ModuleType) -> None:
    dimensions = tool.ARCHITECTURE["embed_dim"]
    images = torch.eye(3, dimensions)
    labels = torch.zeros(3, len(tool.CAPTIONS))
    labels[0, tool.BACKLIT[0]] = labels[1, tool.WELL_LIT] = 1
    labels[2, tool.CAPTIONS.index("a dark photo")] = 1
    vector = tool.Residual()(images, labels)
    assert vector[:3].tolist() == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5), 0])
    assert vector.norm().item() == pytest.approx(1)


def test_rare_captions_are_not_taught_to_be_unlikely(tool: ModuleType) -> None:
    """One picture, three captions of equal cosines: the loss is that of the favours alone."""
    captions = torch.zeros(3, 4)
    images = normalize(torch.ones(1, 4), dim=1)
    arguments = (captions, torch.zeros(1, 4), torch.tensor([[1.0, 0, 0]]))
    numbers = (torch.tensor([-1]), torch.tensor([0]))
    loss = tool.contrastive_loss(images, *arguments, *numbers, torch.tensor([0.8, 0.1, 0.1]).log())
    assert loss.item() == pytest.approx(-math.log(0.8), rel=1e-5)
    even = tool.contrastive_loss(images, *arguments, *numbers, torch.zeros(3))
    assert even.item() == pytest.approx(math.log(3), rel=1e-5)


def test_captions_are_favoured_as_their_group_is_frequent(tool: ModuleType) -> None:
    seen = torch.ones(len(tool.CAPTIONS))
    seen[tool.WELL_LIT] = 38  # of a hundred
    shares = tool.favours_of(seen, 1.0, tool.GROUPS).exp()
    assert shares[tool.WELL_LIT].item() == pytest.approx(0.38)
    assert shares[tool.BACKLIT].tolist() == pytest.approx([len(tool.BACKLIT) / 100] * 12)
    assert shares[tool.CAPTIONS.index("a dark photo")].item() == pytest.approx(0.03)
    assert shares[tool.CAPTIONS.index("a photo with a red cast")].item() == pytest.approx(0.01)
    alone = tool.favours_of(seen, 0.5, ()).exp()
    assert alone[tool.WELL_LIT].item() == pytest.approx(0.38**0.5)
    assert alone[tool.BACKLIT].tolist() == pytest.approx([0.01**0.5] * 12)


def test_a_full_caption_fits_what_shows_the_same(tool: ModuleType) -> None:
    images = torch.eye(2)
    labels = torch.eye(2)
    favours = torch.zeros(2)
    drawn, contents = torch.tensor([0, 1]), torch.tensor([3, 4])
    right = tool.contrastive_loss(images, images, images, labels, contents, drawn, favours)
    swapped = tool.contrastive_loss(
        images, images, images.flip(0), labels, contents, drawn, favours
    )
    each = math.log(1 + math.exp(-tool.LOGIT_SCALE))
    assert right.item() == pytest.approx(2 * each, rel=1e-2)
    assert swapped.item() == pytest.approx(each + each + tool.LOGIT_SCALE, rel=1e-4)


def test_lessons_follow_from_their_numbers(tool: ModuleType, photos: Path) -> None:
    lessons = tool.Lessons(photos / "train", range(40), pairs=True, seed=0)
    again = tool.Lessons(photos / "train", range(10, 40), pairs=True, seed=0)
    for index in range(5):
        ours, theirs = lessons[10 + index], again[index]
        assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1])
    firsts, seconds = (
        [lessons[i][1][tool.WELL_LIT].item() for i in range(start, 40, 2)] for start in (0, 1)
    )
    assert sum(share == 1 for share in firsts) >= 8 > sum(share == 1 for share in seconds)
    other = tool.Lessons(photos / "train", range(40), pairs=True, seed=1)
    assert not torch.equal(lessons[0][0], other[0][0])


def test_a_small_run_writes_what_open_clip_reads(
    tool: ModuleType, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    command = f"train --photos {photos} --out {out} --steps 2 --batch 4"
    monkeypatch.setattr(sys, "argv", command.split())
    tool.main()
    assert sorted(path.name for path in out.iterdir()) == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "report.json",
    ]
    assert json.loads((out / "report.json").read_text())["photographs"] == 1
    clip = FrozenCLIP(f"local-dir:{out}")
    assert clip.embed_texts(["a backlit photo"]).norm().item() == pytest.approx(1, abs=1e-5)
    first = (out / "open_clip_model.safetensors").read_bytes()
    tool.main()
    assert (out / "open_clip_model.safetensors").read_bytes() == first
