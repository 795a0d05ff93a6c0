"""The data set that the bundled CLIP is trained with: scenes of the photographs of a folder."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rave_mm.datasets.lighting_lessons import draw_scene, lessons_of
from rave_mm.datasets.photo_sets.sources import PHOTOGRAPHS
from rave_mm.photos.folders import list_photos
from rave_mm.photos.reading import read_photo

LESSONS = 4
"""Of a scene; the first is the right picture."""


class LightingScenes(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Scenes by numbers: the pictures (LESSONS, 3, S, S), their labels and their content.

    Each scene's generator is seeded with its number, so workers do not change the lessons.
    """

    def __init__(self, folder: Path, numbers: range, size: int, seed: int) -> None:
        listed = {p["id"]: p["content"] for p in json.loads(PHOTOGRAPHS.read_text())["photographs"]}
        paths = list_photos(folder)
        self.photos = [read_photo(path) for path in paths]
        self.contents = sorted(set(listed.values()))
        self.content = [self.contents.index(listed[path.stem]) for path in paths]
        self.numbers, self.size, self.seed = numbers, size, seed

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        number = self.numbers[index]
        which = number % len(self.photos)
        rng = np.random.default_rng([self.seed, number])
        other = self.photos[int(rng.integers(len(self.photos)))]
        scene = draw_scene(self.photos[which], other, self.size, rng)
        lessons = lessons_of(scene, LESSONS, rng)
        pictures = torch.from_numpy(np.stack([lesson.image for lesson in lessons]))
        labels = torch.from_numpy(np.stack([lesson.label for lesson in lessons]))
        contents = [self.content[which] if lesson.has_content else -1 for lesson in lessons]
        return pictures.permute(0, 3, 1, 2), labels, torch.tensor(contents)
