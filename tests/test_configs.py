"""Every config builds: its model, and its data and loop on a stand-in for the data set."""

from pathlib import Path

import numpy as np
import pytest
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope

import rave_mm
import rave_mm.registry  # noqa: F401 - configs may name bases as rave_mm::
from rave_mm.image_files import write_photo

ROOT = Path(rave_mm.__file__).parent.parent / "configs"
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py") if "_base_" not in path.parts
)


def test_configs_are_found() -> None:
    assert {
        "rave/rave_baid_paired.py",
        "rave/rave_baid_div2k_unpaired.py",
        "rave/rave_lol_v1.py",
        "demo/rave_demo.py",
    } <= set(CONFIGS)


def make_photos(folder: Path) -> None:
    for name in ("a", "b"):
        write_photo(folder / f"{name}.png", np.full((30, 40, 3), 90, np.uint8))


@pytest.mark.parametrize("name", CONFIGS)
def test_config_builds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.fromfile(rave_mm.config_path(name))
    init_default_scope(config.default_scope)
    monkeypatch.chdir(tmp_path)
    model = MODELS.build(config.model)
    phases = config.train_cfg.phases
    for phase in phases:
        model.activate_losses(phase.losses)
    residual = config.model.losses.guidance.residual
    train, val = config.train_dataloader.dataset, config.val_dataloader.dataset
    for folder in {residual.well_lit, residual.backlit, train.backlit, val.backlit, val.well_lit}:
        Path(folder).mkdir(parents=True)
        make_photos(Path(folder))
    assert train.backlit == residual.backlit
    for dataset in (train, val, config.test_dataloader.dataset):
        assert len(DATASETS.build(dataset)) == 2
    sample = DATASETS.build(train)[0]
    size = train.pipeline[1].get("size") or train.pipeline[1]["crop_size"]
    assert sample["inputs"].shape == (3, size, size)
    whole = DATASETS.build(val)[0]
    assert whole["inputs"].shape == whole["data_samples"].gt_img.shape == (3, 30, 40)
    Evaluator(config.val_evaluator.metrics)


def test_the_papers_config_has_the_papers_numbers() -> None:
    config = Config.fromfile(rave_mm.config_path("rave/rave_baid_paired.py"))
    losses = config.model.losses
    assert losses.guidance.loss_weight == 6 * 320
    assert losses.identity.loss_weight == pytest.approx(0.9 * 25)
    assert losses.reconstruction.loss_weight == 25
    assert losses.identity.layer_weights == (1, 1, 1, 1, 0.5)
    assert losses.guidance.clip == {"model": "ViT-B-32-quickgelu", "pretrained": "openai"}
    assert config.optim_wrapper.optimizer == {"type": "Adam", "lr": 2e-5, "weight_decay": 1e-3}
    assert config.train_dataloader.batch_size == 8
    assert [phase.iterations for phase in config.train_cfg.phases][0] == 1000
