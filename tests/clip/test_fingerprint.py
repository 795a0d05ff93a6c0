import json
import shutil
from pathlib import Path

import torch
from open_clip.transformer import QuickGELU
from torch import nn

from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.fingerprint import fingerprint


def test_weights_layers_and_settings_count() -> None:
    torch.manual_seed(0)
    tower = nn.Sequential(nn.Linear(3, 3), nn.GELU())
    told = fingerprint(tower, 224)
    assert len(told) == 16 and int(told, 16) >= 0
    assert fingerprint(tower, 224) == told != fingerprint(tower, 225)
    assert fingerprint(nn.Sequential(tower[0], QuickGELU()), 224) != told
    tower[0].weight.data[0, 0] += 1e-3
    assert fingerprint(tower, 224) != told


def test_a_part_that_is_left_out_does_not_count() -> None:
    tower = nn.ModuleDict({"visual": nn.Linear(2, 2), "visuals": nn.Linear(2, 2)})
    told = fingerprint(tower, without="visual")
    tower["visual"] = nn.Sequential(nn.Linear(4, 4), nn.GELU())
    assert fingerprint(tower, without="visual") == told
    tower["visuals"].weight.data += 1
    assert fingerprint(tower, without="visual") != told


def test_a_clip_with_the_same_weights_and_another_activation_is_another(tmp_path: Path) -> None:
    """Or what was cached of the one would be taken for the other's."""
    shutil.copytree(BUNDLED_FOLDER, tmp_path / "clip")
    config = tmp_path / "clip/open_clip_config.json"
    settings = json.loads(config.read_text())
    before = settings["model_cfg"].get("quick_gelu", False)
    settings["model_cfg"]["quick_gelu"] = not before
    config.write_text(json.dumps(settings))
    same, other = FrozenCLIP(), FrozenCLIP(f"local-dir:{tmp_path / 'clip'}")
    text = ["a dark photo"]
    assert not torch.allclose(same.embed_texts(text), other.embed_texts(text), atol=1e-4)
    assert same.text_fingerprint != other.text_fingerprint
