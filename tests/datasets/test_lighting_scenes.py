from pathlib import Path

import numpy as np
import torch

from rave_mm.datasets.lighting_captions import CAPTIONS
from rave_mm.datasets.lighting_scenes import LESSONS, LightingScenes
from rave_mm.photos.writing import write_photo


def test_scenes_follow_from_their_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("flowers1", "notre-dame"):  # as photographs.json names them
        write_photo(tmp_path / f"{name}.png", rng.integers(40, 220, (120, 160, 3), dtype=np.uint8))
    scenes = LightingScenes(tmp_path, range(40), 32, seed=0)
    again = LightingScenes(tmp_path, range(10, 40), 32, seed=0)
    for index in range(5):
        for ours, theirs in zip(scenes[10 + index], again[index], strict=True):
            assert torch.equal(ours, theirs)
    pictures, labels, contents = scenes[0]
    assert pictures.shape == (LESSONS, 3, 32, 32) and contents.shape == (LESSONS,)
    assert labels[0, CAPTIONS.index("a well-lit photo")] == 1
    other = LightingScenes(tmp_path, range(40), 32, seed=1)
    assert not torch.equal(pictures, other[0][0])
