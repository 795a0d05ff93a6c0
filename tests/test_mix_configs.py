"""Each example of docs/mix.md trains on a few photographs, from another working directory."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut, chelsea, coffee
from sklearn.datasets import load_sample_image

import rave_mm
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.photos.writing import write_photo
from tests.tools.loading import load_tool

ROOT = Path(rave_mm.__file__).parent.parent
CONFIGS = sorted(path.stem for path in (ROOT / "configs/mix").glob("*.py"))
# The terms of each, and what the model itself logs.
TERMS = {
    "nafnet": ["pixel", "guidance", "identity"],
    "esrgan_psnr": ["pixel", "perceptual", "guidance"],
    "srgan": ["pixel", "perceptual", "guidance"],
    "basicvsr": ["pixel", "guidance"],
}
OWN = {"srgan": {"loss_pix", "loss_gan", "loss_d_real", "loss_d_fake"}}
SIZE = (256, 260)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo set of three training photographs and one test photograph of the packages."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    flower = load_sample_image("flower.jpg")
    for backlit, well_lit, photographs in (
        ("train/backlit", "train/well-lit", (astronaut(), coffee(), flower)),
        ("test/resize_input", "test/resize_gt", (chelsea(),)),
    ):
        for index, photograph in enumerate(photographs):
            photo = np.ascontiguousarray(photograph[: SIZE[0], : SIZE[1]])
            write_photo(root / "data/demo" / well_lit / f"{index}.png", photo)
            dark = synthetic_backlight(photo, rng)
            write_photo(root / "data/demo" / backlit / f"{index}.png", dark)
    return root


def test_every_example_is_known() -> None:
    assert sorted(TERMS) == CONFIGS


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_it_trains(
    name: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(photos)
    options = [
        "train_cfg.max_iters=2",
        "train_cfg.val_interval=2",
        "train_dataloader.batch_size=1",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        "default_hooks.logger.interval=1",
        "model.pixel_loss.gradients_every=1",
    ]
    if name == "basicvsr":
        clip = "train_dataloader.dataset.pipeline.2."
        options += [f"{clip}frames=2", f"{clip}size=64"]
    arguments = [f"mix/{name}.py", "--work-dir", str(tmp_path / "run"), "--cfg-options", *options]
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    train = load_tool("train")
    train.main()

    (scalars,) = (tmp_path / "run").glob("*/vis_data/scalars.json")
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    steps = [line for line in lines if "loss_pixel" in line]
    assert [line["step"] for line in steps] == [1, 2]
    for line in steps:
        total = line["loss_pix"] if name == "srgan" else line["loss"]
        terms = [line[f"loss_{term}"] for term in TERMS[name]]
        assert OWN.get(name, set()) <= set(line)
        if line["step"] == 1:  # later lines have the mean of a window
            assert sum(terms) == pytest.approx(total, rel=1e-3)
        assert all(line[f"gradient_{term}"] > 0 for term in TERMS[name])
        shares = sum(line[f"gradient_share_{term}"] for term in TERMS[name])
        assert shares == pytest.approx(1, abs=1e-3)
    if name != "basicvsr":
        assert any("PSNR" in line for line in lines)
    (log,) = (tmp_path / "run").glob("*/*.log")
    assert "loss_guidance" in log.read_text()
    saved = torch.load(tmp_path / "run/iter_2.pth", weights_only=False)["state_dict"]
    assert not any("clip" in key for key in saved)
    vector = saved["pixel_loss.terms.guidance.vector"]
    assert vector.norm().item() == pytest.approx(1, abs=1e-5)
