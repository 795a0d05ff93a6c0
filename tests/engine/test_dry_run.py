from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmagic.structures import DataSample
from mmengine.config import Config

import rave_mm.engine.dry_run as module
from rave_mm.engine.dry_run import describe_batch, dry_run
from tests.engine.tiny import TWO_OPTIMIZERS, loader

ONE = {"name": "one", "iterations": 2, "losses": ["fit"]}
PAIR = {"name": "turn", "iterations": 2, "losses": ["far"], "trains": "pair", "loader": "prompts"}


def config(work_dir: Path, **settings: Any) -> Config:
    return Config(
        {
            "model": {"type": "Tiny"},
            "train_dataloader": loader(2, workers=1),
            "train_cfg": {
                "type": "PhasedTrainLoop",
                "phases": [ONE, {"rounds": 3, "phases": [PAIR]}],
                "loaders": {"prompts": {**loader(3, workers=2), "prefetch_factor": 4}},
            },
            "optim_wrapper": TWO_OPTIMIZERS,
            "visualizer": {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]},
            "default_scope": "mmagic",
            "randomness": {"seed": 3},
            "work_dir": str(work_dir),
            "launcher": "none",
            **settings,
        }
    )


def test_a_dry_run_tells_all_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = []
    describe = module.describe
    monkeypatch.setattr(module, "describe", lambda loop: loops.append(loop) or describe(loop))
    monkeypatch.chdir(tmp_path)
    told = "\n".join(dry_run(config(tmp_path / "work"))).split("\n")
    assert list(tmp_path.iterdir()) == []
    assert told[:5] == [
        "schedule of 8 iterations:",
        "        0 -       2  1 one: trains generator with fit on train",
        "        2 -       8  x 3 rounds of",
        "          2 -       4  2 turn: trains pair with far on prompts",
        "phase 1, one:",
    ]
    assert told[5:7] == ["  generator: 12 trainable parameters", "  a batch of train:"]
    assert told[7].startswith("    inputs: 1 x (2, 4), float32 in [0")
    assert told[8:11] == [
        "phase 2, turn:",
        "  pair: 3 trainable parameters",
        "  a batch of prompts:",
    ]
    assert told[11].startswith("    inputs: 1 x (3, 4), float32 in [0")
    assert len(told) == 12
    assert loops[0].iter == 0
    assert loops[0].model.seen == []


def test_it_tells_what_a_run_would_stumble_over(tmp_path: Path) -> None:
    late = {**ONE, "name": "late", "losses": ["fitt"]}
    with pytest.raises(ValueError, match="phase 'late': losses: got .*fitt"):
        list(
            dry_run(
                config(
                    tmp_path,
                    train_dataloader=loader(),
                    train_cfg={"type": "PhasedTrainLoop", "phases": [late]},
                )
            )
        )
    with pytest.raises(ValueError, match="--dry-run: got a config without phases"):
        list(dry_run(config(tmp_path, train_cfg={"by_epoch": False, "max_iters": 1})))


def test_the_timeline_needs_no_photographs(tmp_path: Path) -> None:
    """It comes first; then all folders that are missing are named, each once."""
    (tmp_path / "dark").mkdir()
    photos = {"backlit": "dark", "well_lit": "bright", "data_root": str(tmp_path)}
    told = dry_run(
        config(
            tmp_path,
            model={"losses": [{"residual": {"backlit": "none", "well_lit": f"{tmp_path}/bright"}}]},
            train_dataloader={"dataset": {"dataset": photos}},
            test_dataloader={"dataset": {"backlit": "not asked for"}},
        )
    )
    assert next(told).startswith("schedule of 8 iterations:\n")
    with pytest.raises(FileNotFoundError, match="^2 folders of photographs .*are missing") as error:
        next(told)
    assert str(error.value).split("\n")[1:] == ["  none", f"  {tmp_path}/bright"]


def test_a_batch_of_photos_is_described() -> None:
    photos = [
        torch.full((3, 8, side), shade, dtype=torch.uint8) for side, shade in ((6, 4), (7, 9))
    ]
    samples = [DataSample(gt_img=photo.float() / 2, metainfo={"img_path": "x"}) for photo in photos]
    batch = {
        "inputs": {"img": photos, "ref": [torch.zeros(3, 4, 4, dtype=torch.uint8)] * 2},
        "data_samples": samples,
        "label": [np.array([0, 1]), "a name", 3],
    }
    assert describe_batch(batch) == [
        "inputs.img: 2 x (3, 8, 6) or (3, 8, 7), uint8 in [4, 9]",
        "inputs.ref: 2 x (3, 4, 4), uint8 in [0, 0]",
        "data_samples.gt_img: 2 x (3, 8, 6) or (3, 8, 7), float32 in [2, 4.5]",
        "label: 1 x (2,), int64 in [0, 1]",
    ]
