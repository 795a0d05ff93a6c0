"""What a config was when a checkpoint was written, and what it is now."""

from pathlib import Path

import pytest
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.engine.changed_settings import (
    changed_settings,
    read_settings,
    settings_of_the_place,
)


def test_nothing_has_changed() -> None:
    config = Config.fromfile(config_path("clip_lit/clip_lit_baid_div2k"))
    assert changed_settings(config.pretty_text, config) == {}


def test_what_has_changed_is_told_by_its_full_name() -> None:
    before = Config.fromfile(config_path("demo/rave_demo")).pretty_text
    config = Config.fromfile(config_path("demo/rave_demo"))
    config.optim_wrapper.optimizer.lr = 1e-4
    config.train_cfg.phases[0].iterations = 960
    del config.model.losses["identity"]
    config.train_dataloader.pin_memory = True
    config.work_dir, config.resume = "elsewhere", True
    changed = changed_settings(before, config)
    assert changed == {
        "model.losses.identity.type": "'CLIPIdentityLoss' before, not there now",
        "model.losses.identity.loss_weight": "1.0 before, not there now",
        "train_cfg.phases.0.iterations": "480 before, 960 now",
        "optim_wrapper.optimizer.lr": "0.0005 before, 0.0001 now",
        "train_dataloader.pin_memory": "not there before, True now",
    }
    assert settings_of_the_place(changed, before, "guided") == []


def test_what_a_place_was_counted_by() -> None:
    before = Config.fromfile(config_path("clip_lit/clip_lit_baid_div2k")).pretty_text
    changed = (
        "train_cfg.phases.0.iterations",
        "train_cfg.phases.1.iterations",
        "train_cfg.phases.1.losses",
        "train_cfg.phases.1.trains",
        "train_cfg.phases.2.rounds",
        "train_cfg.phases.2.phases.0.iterations",
        "train_cfg.loaders.prompts.dataset.backlit",
        "train_cfg.loaders.prompts.dataset.pipeline.0.key",
        "train_dataloader.batch_size",
        "train_dataloader.dataset.backlit",
        "train_dataloader.sampler.shuffle",
        "randomness.seed",
    )
    photos = {changed[6], *changed[9:]}
    assert {*settings_of_the_place(changed, before, "initialisation")} == photos
    in_second = {changed[0], changed[3], *photos}
    assert {*settings_of_the_place(changed, before, "reconstruction")} == in_second
    in_rounds = {*changed[:2], changed[3], changed[4], *photos}
    assert {*settings_of_the_place(changed, before, "refinement")} == in_rounds


def test_a_text_is_read_and_not_run(tmp_path: Path) -> None:
    text = f"a = open({str(tmp_path / 'made')!r}, 'w')\nb = dict(c=[dict(d=(1, 2))], e=-1.5)\n"
    settings = read_settings(text)
    assert settings["a"].startswith("open(") and not (tmp_path / "made").exists()
    assert settings["b"] == {"c": [{"d": [1, 2]}], "e": -1.5}
    with pytest.raises(SyntaxError):
        read_settings("a = dict(")
