"""Clouds of embeddings without photos."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from rave_mm.clip.photo_embeddings import PhotoEmbeddings
from rave_mm.direction.clouds import PhotoClouds

MakeClouds = Callable[..., PhotoClouds]


def photo_embeddings(folder: str, rows: Tensor, stem: str = "") -> PhotoEmbeddings:
    names = [f"{stem or folder}{index}" for index in range(len(rows))]
    return PhotoEmbeddings(
        rows,
        tuple(Path(folder, f"{name}.png") for name in names),
        tuple(f"{folder}-{name}" for name in names),
    )


@pytest.fixture
def make_clouds() -> MakeClouds:
    """`make(gap, count)`: clouds whose centres are `gap` apart along the first of 16 axes."""

    def make(gap: float, count: int = 40, seed: int = 0, noise: float = 0.1) -> PhotoClouds:
        generator = torch.Generator().manual_seed(seed)
        rows = noise * torch.randn(2, count, 16, generator=generator)
        rows[:, :, 1] += 1  # what all photos share
        rows[0, :, 0] += gap / 2
        rows[1, :, 0] -= gap / 2
        well_lit, backlit = normalize(rows, dim=2)
        return PhotoClouds(
            photo_embeddings("well-lit", well_lit), photo_embeddings("backlit", backlit)
        )

    return make
