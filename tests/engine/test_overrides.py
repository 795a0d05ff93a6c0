"""Settings of `--cfg-options` that nobody would read are refused."""

import pytest
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.engine.overrides import override
from rave_mm.runtime.setting_error import SettingError


@pytest.fixture
def config() -> Config:
    return Config.fromfile(config_path("demo/rave_demo"))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("modell.generator.side=96", r"the config has no modell; did you mean model\?"),
        ("xyzzy=1", "the config has no xyzzy; it has "),
        ("model.generatr.side=96", r"model has no generatr; did you mean generator\?"),
        ("model.generator.sied=96", r"model\.generator has no sied; did you mean side\?"),
        ("optim_wrapper.optimizer.lrr=1", r"optim_wrapper\.optimizer has no lrr; did you mean lr"),
        ("optim_wrapper.clip_grad.max_nrm=1", "no max_nrm; did you mean max_norm"),
        ("train_dataloader.batch_sise=3", r"train_dataloader has no batch_sise; did you mean"),
        ("train_dataloader.dataset.pipeline.1.crop_sise=9", r"pipeline\.1 has no crop_sise"),
        ("default_hooks.chekpoint.interval=3", "no chekpoint; did you mean checkpoint"),
        ("default_hooks.checkpoint.interva=3", "no interva; did you mean interval"),
        ("train_cfg.phases.1.iterations=3", "got '1', expected a number below 1, since"),
        ("train_cfg.phases.x.iterations=3", "got 'x', expected a number below 1"),
        ("train_cfg.phases.0.iteration=3", "no iteration; did you mean iterations"),
    ],
)
def test_a_misspelt_one(setting: str, told: str, config: Config) -> None:
    with pytest.raises(SettingError, match=rf"--cfg-options {setting.partition('=')[0]}: .*{told}"):
        override(config, [setting])


@pytest.mark.parametrize(
    "settings",
    [
        ["optim_wrapper.optimizer.lr=3e-4"],
        ["optim_wrapper.optimizer.amsgrad=True"],  # the config is silent of it, Adam is not
        ["optim_wrapper.accumulative_counts=2"],
        ["train_dataloader.pin_memory=True"],
        ["model.generator.type=LightMapUNet", "model.generator.start=identity"],
        ["model.losses.sky.type=CLIPIdentityLoss", "model.losses.sky.loss_weight=2"],
        ["model.losses.guidance.clip.model=RN50"],
        ["env_cfg.dist_cfg.port=2950"],
        ["default_hooks.checkpoint.out_dir=/tmp"],
        ["load_from=a.pth", "resume=True", "auto_scale_lr.base_batch_size=8"],
        ["train_cfg.phases.0.iterations=3", "val_cfg=None"],
    ],
)
def test_what_somebody_reads(settings: list[str], config: Config) -> None:
    override(config, settings)
    for setting in settings:
        key, _, value = setting.partition("=")
        found = config
        for part in key.split("."):
            found = found[int(part)] if isinstance(found, list) else found[part]
        assert str(found) == value or float(found) == float(value)
