"""Settings of components, by name and type, before anything is built."""

import typing
from typing import Any

import pytest
from mmagic import registry as mmagic_registry
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.engine.component_settings import check_components, names_of_settings
from rave_mm.runtime.setting_error import SettingError


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("model.generator.sied", 3, "SmallViewLightMapNet has no setting sied; did you mean side?"),
        ("model.generator.side", "abc", "got 'abc', expected int"),
        ("model.losses.guidance.loss_weight", "high", "got 'high', expected float"),
        ("model.losses.guidance.residual", 12, "got 12, expected str | Mapping[str, Any] | None"),
        ("model.losses.guidance.clip", 3, "got 3, expected Mapping[str, Any] | None"),
        ("model.losses.guidance.value_range", [0, "x"], "expected tuple[float, float]"),
        ("train_cfg.val_interval", 2.5, "got 2.5, expected int"),
        ("train_cfg.skip_limits", 2, "PhasedTrainLoop has no setting skip_limits; did you mean"),
        ("optim_wrapper.optimizer.lr", "abc", "got 'abc', expected float"),
        ("optim_wrapper.optimizer.momentun", 1, "Adam has no setting momentun; it has"),
        ("train_dataloader.dataset.backlitt", "x", "UnpairedPhotos has no setting backlitt; did"),
        ("train_dataloader.dataset.pipeline.1.crop_sise", 3, "RandomResizedCrop has no setting"),
    ],
)
def test_what_a_component_does_not_understand(place: str, value: Any, told: str) -> None:
    config = Config.fromfile(config_path("demo/rave_demo"))
    *outer, last = place.split(".")
    found = config
    for part in outer:
        found = found[int(part)] if isinstance(found, list) else found[part]
    found[last] = value
    with pytest.raises(SettingError) as error:
        check_components(config)
    assert str(error.value).startswith(f"{place}: ") and told in str(error.value)


@pytest.mark.parametrize("name", ["rave/rave_baid_paired", "clip_lit/ablations/adversarial"])
def test_configs_that_are_right(name: str) -> None:
    check_components(Config.fromfile(config_path(name)))


def test_lists_stand_for_tuples() -> None:
    config = Config.fromfile(config_path("demo/rave_demo"))
    config.optim_wrapper.optimizer.betas = [0.9, 0.99]
    config.model.losses.guidance.value_range = [0, 1]
    check_components(config)


def test_the_types_of_every_component_can_be_told() -> None:
    kinds = {
        name: kind
        for registry in map(mmagic_registry.__dict__.get, mmagic_registry.__all__)
        for name, kind in [*registry.module_dict.items()]
        if getattr(kind, "__module__", "").startswith("rave_mm.")
    }
    assert len(kinds) > 25
    for name, kind in kinds.items():
        assert typing.get_type_hints(kind.__init__)
        assert names_of_settings({"type": name}), f"{name} takes any setting"


def test_settings_that_are_passed_on_are_known_too() -> None:
    known = names_of_settings({"type": "CLIPEnhanceLoss"})
    assert known and {"loss_weight", "clip", "pair"} <= {*known} and "settings" not in known
