import copy
from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint

from rave_mm.enhancers.backlit_enhancer import BacklitEnhancer
from rave_mm.enhancers.prompt_enhancer import PromptGuidedEnhancer
from rave_mm.losses import prompt_pairs
from rave_mm.networks.published_checkpoints import PUBLISHED_NAMES
from tests.enhancers.batches import PREPROCESSOR
from tests.enhancers.prompt_guided import ENHANCEMENT, build, started


@pytest.fixture
def model() -> PromptGuidedEnhancer:
    return started()


def test_keys_of_a_checkpoint_never_change_and_the_snapshot_is_not_trained(
    model: PromptGuidedEnhancer,
) -> None:
    keys = set(build().state_dict())
    assert {key.split(".")[0] for key in keys} == {
        "generator",
        "pair",
        "snapshot",
        "enhancements_begun",
        "enhancements_done",
    }
    model.start_phase(ENHANCEMENT)
    assert set(model.state_dict()) == keys
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"generator", "pair"}
    torch.testing.assert_close(model.snapshot.state_dict(), model.generator.state_dict())


def test_building_and_loading_need_no_clip_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_pairs, "load_clip", lambda **_: pytest.fail("the CLIP was loaded"))
    clip = {"model": "ViT-B-32-quickgelu", "pretrained": "openai"}
    model = build(pair={"type": "PromptPair", "clip": clip}, losses=None)
    model.load_state_dict(build(pair={"type": "PromptPair", "clip": clip}).state_dict())
    assert model(torch.rand(1, 3, 9, 7)).shape == (1, 3, 9, 7)
    with pytest.raises(RuntimeError, match="PromptGuidedEnhancer was built without losses"):
        model(torch.rand(1, 3, 9, 7), mode="loss")


@pytest.mark.parametrize("published", [False, True], ids=["another model's", "published"])
def test_a_checkpoint_of_the_network_alone_loads(
    published: bool, model: PromptGuidedEnhancer, tmp_path: Path
) -> None:
    other = BacklitEnhancer({"type": "LightMapUNet"}, data_preprocessor=PREPROCESSOR)
    weights = other.generator.state_dict()
    if published:
        state = {f"module.{name}": weights[own] for name, own in PUBLISHED_NAMES.items()}
    else:
        state = {"state_dict": other.state_dict()}
    torch.save(state, tmp_path / "other.pth")
    model.start_phase(ENHANCEMENT)
    snapshot = copy.deepcopy(model.snapshot.state_dict())
    load_checkpoint(model, str(tmp_path / "other.pth"), map_location="cpu")
    torch.testing.assert_close(model.generator.state_dict(), weights)
    torch.testing.assert_close(model.snapshot.state_dict(), snapshot)
    assert model.enhancements_begun == 1


def test_its_checkpoint_loads_where_there_is_the_network_alone(
    model: PromptGuidedEnhancer, tmp_path: Path
) -> None:
    torch.save({"state_dict": model.state_dict()}, tmp_path / "ours.pth")
    other = BacklitEnhancer({"type": "LightMapUNet"}, data_preprocessor=PREPROCESSOR)
    load_checkpoint(other, str(tmp_path / "ours.pth"), map_location="cpu")
    torch.testing.assert_close(other.generator.state_dict(), model.generator.state_dict())
