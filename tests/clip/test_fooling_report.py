"""The adversarial test, with guides whose weaknesses are known."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rave_mm.clip.fooling_report import fooling_report
from tests.clip.coloured_blocks import write_coloured_blocks


class BrightnessGuide:
    """It knows nothing but the mean brightness: an angle between two axes."""

    def embed(self, pictures: Tensor) -> Tensor:
        angle = pictures.mean((1, 2, 3)) * torch.pi / 2
        return torch.stack([angle.cos(), angle.sin()], 1)

    def embed_texts(self, texts: list[str]) -> Tensor:
        return torch.tensor([[0.0, 1.0]])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_coloured_blocks(folder, 3)
    return folder


def test_a_guide_that_knows_brightness_alone_is_fooled_by_brightness(photos: Path) -> None:
    report = fooling_report(BrightnessGuide(), photos)  # type: ignore[arg-type]
    assert report["photographs"] == 3
    assert report["backlit"]["residual"] == {"right": 1.0, "enhanced": 1.0}
    harms = report["harms"]
    assert harms["dimmed highlights"]["1.0"] == {"residual": 1.0, "words": 1.0}
    assert harms["blown highlights"]["1.0"] == {"residual": 0.0, "words": 0.0}
    assert harms["lifted blacks"]["1.0"]["residual"] == 0.0
    assert set(report["untaught"]) >= {"vignette", "JPEG"}
    # It lifts what is dark first of all, and does not stop.
    climbing = report["climbing"]
    assert climbing["8"] != climbing["0"] and climbing["32"] < max(climbing.values())
