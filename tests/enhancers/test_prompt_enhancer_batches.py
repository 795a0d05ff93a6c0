from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from rave_mm.enhancers.prompt_enhancer import PromptGuidedEnhancer
from rave_mm.photos.writing import write_photo
from tests.enhancers.batches import unpaired_batch
from tests.enhancers.prompt_guided import INITIALISATION, started

PIPELINE = [
    {"type": "LoadPhoto", "key": "img"},
    {"type": "LoadPhoto", "key": "ref"},
    {"type": "AugmentBacklit", "size": 32, "keys": ["img"]},
    {"type": "AugmentBacklit", "size": 32, "keys": ["ref"]},
]
PACK = {
    "type": "PackInputs",
    "keys": ["img", "ref"],
    "meta_keys": ["ref_path", "ref_channel_order"],
}


@pytest.fixture
def model() -> PromptGuidedEnhancer:
    return started()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Backlit photos that are dark blue, and well-lit ones that are orange."""
    for name, colour in (("backlit", (10, 20, 60)), ("well-lit", (250, 150, 50))):
        (tmp_path / name).mkdir()
        for photo in ("a", "b"):
            pixels = np.broadcast_to(np.uint8(colour), (40, 50, 3)).copy()
            write_photo(tmp_path / name / f"{photo}.png", pixels)
    return tmp_path


def test_a_batch_for_the_pair_is_rgb_in_0_1(
    model: PromptGuidedEnhancer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[Tensor, Tensor]] = []

    def forward(pair: Tensor, backlit: Tensor, well_lit: Tensor, results: Any = ()) -> Tensor:
        handed.append((backlit, well_lit))
        return pair.sum()

    monkeypatch.setattr(model.losses["initialisation"], "forward", forward)
    model.start_phase(INITIALISATION)
    wrapper = OptimWrapper(torch.optim.Adam(model.pair.parameters(), 1e-3))
    model.train_step(unpaired_batch(folder, [*PIPELINE, PACK]), wrapper)
    ((backlit, well_lit),) = handed
    for found, colour in ((backlit, (10, 20, 60)), (well_lit, (250, 150, 50))):
        wanted = (torch.tensor(colour) / 255).view(3, 1, 1).expand(2, 3, 32, 32)
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        ({"type": "PackInputs"}, "got backlit photos alone, expected well-lit ones too.*keys="),
        (
            {"type": "PackInputs", "keys": ["img", "ref"]},
            "do not tell their channel order, so MMagic took them for BGR.*ref_channel_order",
        ),
    ],
)
def test_a_batch_without_well_lit_photos_or_their_order_is_refused(
    pack: dict[str, Any], message: str, model: PromptGuidedEnhancer, folder: Path
) -> None:
    model.start_phase(INITIALISATION)
    wrapper = OptimWrapper(torch.optim.Adam(model.pair.parameters(), 1e-3))
    with pytest.raises(ValueError, match=message):
        model.train_step(unpaired_batch(folder, [*PIPELINE, pack]), wrapper)


def test_a_loss_that_is_not_finite_names_the_photos_of_both_folders(
    model: PromptGuidedEnhancer, folder: Path
) -> None:
    model.pair.values.data.fill_(torch.nan)
    model.start_phase(INITIALISATION)
    wrapper = OptimWrapper(torch.optim.Adam(model.pair.parameters(), 1e-3))
    with pytest.raises(
        FloatingPointError,
        match=r"not finite \(loss_initialisation nan\).*backlit/a\.png.*well-lit/[ab]\.png",
    ):
        model.train_step(unpaired_batch(folder, [*PIPELINE, PACK]), wrapper)
