from pathlib import Path
from typing import Any

import pytest
import torch

from rave_mm.clip import weights
from rave_mm.clip.weights import MissingWeightsError
from rave_mm.enhancers.backlit_enhancer import BacklitEnhancer
from rave_mm.losses.loss_sum import LossSum
from rave_mm.losses.loss_terms import LossTerms
from rave_mm.runtime.setting_error import SettingError

VIT = {"model": "ViT-B-32-quickgelu", "pretrained": "openai"}
TERMS: dict[str, dict[str, Any]] = {
    "guidance": {"type": "ResidualGuidanceLoss", "clip": VIT},
    "second_guidance": {"type": "ResidualGuidanceLoss", "clip": VIT},
    "identity": {
        "type": "CLIPIdentityLoss",
        "clip": {"model": "RN101-quickgelu", "pretrained": "openai"},
    },
}


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(weights, "download_pretrained", fail)
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize(
    "terms",
    [
        LossTerms(TERMS),
        LossTerms({"sum": {"type": "LossSum", "terms": TERMS}}),
        LossSum(TERMS),
        BacklitEnhancer({"type": "LightMapUNet"}, TERMS),
    ],
    ids=["terms", "a sum within", "a sum", "an enhancer"],
)
def test_all_missing_weights_are_named_at_once(terms: Any) -> None:
    with pytest.raises(MissingWeightsError) as raised:
        terms.init_weights()
    message = str(raised.value)
    for name in ("ViT-B-32-quickgelu-openai.pt", "RN101-quickgelu-openai.pt"):
        assert message.count(name) == 1


@pytest.mark.usefixtures("_offline")
def test_terms_that_miss_nothing_start() -> None:
    terms = LossTerms({"keep": {"type": "CLIPIdentityLoss"}, "mean": {"type": "L1Loss"}})
    terms.init_weights()
    photo = torch.rand(1, 3, 32, 32)
    assert float(terms["keep"](photo, photo)) == 0


@pytest.mark.parametrize("weight", (-3, "3", float("nan"), float("inf"), None))
def test_a_weight_that_is_none_is_refused_with_its_name(weight: object) -> None:
    with pytest.raises(SettingError, match=r"^losses\.fidelity\.loss_weight: got .*, 0 or more$"):
        LossTerms({"fidelity": {"type": "L1Loss", "loss_weight": weight}})
