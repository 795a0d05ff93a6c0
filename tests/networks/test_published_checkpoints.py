"""Checkpoints of every known form load wherever MMEngine loads them; no other does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner.checkpoint import load_checkpoint
from torch import Tensor, nn

from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.published_checkpoints import (
    PUBLISHED_NAMES,
    UnknownCheckpointError,
    adopt_published_keys,
    convert_published,
    extract_generator_weights,
    is_published,
)

StateDict = dict[str, Tensor]


class Enhancer(BaseModel):
    """As BacklitEnhancer: a network called generator, and state beside it."""

    def __init__(self, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.generator = LightMapUNet()
        self.register_buffer("vector", torch.zeros(4))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        adopt_published_keys(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = "tensor") -> Tensor:
        return self.generator(inputs)


class Other(BaseModel):
    """A model that knows nothing of published checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = LightMapUNet()

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = "tensor") -> Tensor:
        return self.generator(inputs)


@pytest.fixture
def ours() -> StateDict:
    return {name: value.clone() for name, value in LightMapUNet().state_dict().items()}


@pytest.fixture
def theirs(ours: StateDict) -> StateDict:
    return {name: ours[own] for name, own in PUBLISHED_NAMES.items()}


def prefixed(state_dict: StateDict, prefix: str) -> StateDict:
    return {prefix + name: value for name, value in state_dict.items()}


FORMS: dict[str, Callable[[StateDict, StateDict], Any]] = {
    "published": lambda ours, theirs: prefixed(theirs, "module."),
    "published without module": lambda ours, theirs: theirs,
    "published wrapped twice": lambda ours, theirs: prefixed(theirs, "module.module."),
    "published in state_dict": lambda ours, theirs: {"state_dict": prefixed(theirs, "module.")},
    "published in params": lambda ours, theirs: {"params": theirs},
    "published as generator": lambda ours, theirs: {"state_dict": prefixed(theirs, "generator.")},
    "network": lambda ours, theirs: ours,
    "network in state_dict": lambda ours, theirs: {"state_dict": ours, "meta": {"iter": 3}},
    "model": lambda ours, theirs: {
        "state_dict": {**prefixed(ours, "generator."), "vector": torch.ones(4)},
        "meta": {"iter": 3},
    },
}


@pytest.fixture(params=FORMS)
def checkpoint(request: pytest.FixtureRequest, ours: StateDict, theirs: StateDict) -> Any:
    return FORMS[request.param](ours, theirs)


@pytest.fixture
def file(checkpoint: Any, tmp_path: Path) -> str:
    path = tmp_path / "checkpoint.pth"
    torch.save(checkpoint, path)
    return str(path)


def assert_holds(network: nn.Module, weights: StateDict) -> None:
    torch.testing.assert_close(dict(network.state_dict()), weights, rtol=0, atol=0)


class TestEveryFormLoads:
    def test_extracted(self, checkpoint: Any, ours: StateDict) -> None:
        torch.testing.assert_close(extract_generator_weights(checkpoint), ours, rtol=0, atol=0)

    def test_into_the_network(self, file: str, ours: StateDict) -> None:
        network = LightMapUNet()
        load_checkpoint(network, file, map_location="cpu", strict=True)
        assert_holds(network, ours)

    def test_into_the_network_by_init_cfg(self, file: str, ours: StateDict) -> None:
        network = LightMapUNet(init_cfg={"type": "Pretrained", "checkpoint": file})
        network.init_weights()
        assert_holds(network, ours)

    def test_into_a_model(self, file: str, ours: StateDict) -> None:
        model = Enhancer()
        load_checkpoint(model, file, map_location="cpu")
        assert_holds(model.generator, ours)

    def test_into_a_model_by_init_cfg(self, file: str, ours: StateDict) -> None:
        model = Enhancer(init_cfg={"type": "Pretrained", "checkpoint": file})
        model.init_weights()
        assert_holds(model.generator, ours)


def test_table_covers_the_network(ours: StateDict) -> None:
    assert sorted(PUBLISHED_NAMES.values()) == sorted(ours)


def test_real_file(reference: Path) -> None:
    published = torch.load(reference / "rave_unpaired.pth", map_location="cpu", weights_only=True)
    assert is_published(published)
    network = LightMapUNet()
    network.load_state_dict(published)
    assert torch.equal(network.conv_in.weight, published["module.cond1.weight"])
    assert torch.equal(
        network.deep[1].conv2.weight, published["module.ResidualBlock4.conv2.weight"]
    )


def test_real_file_into_a_model(reference: Path) -> None:
    model = Enhancer()
    load_checkpoint(model, str(reference / "rave_unpaired.pth"), map_location="cpu")
    weights = load_checkpoint(LightMapUNet(), str(reference / "rave_unpaired.pth"), "cpu")
    assert_holds(model.generator, convert_published(weights))


def test_what_a_model_holds_besides_is_loaded(ours: StateDict) -> None:
    model = Enhancer()
    model.load_state_dict({**prefixed(ours, "generator."), "vector": torch.ones(4)}, strict=True)
    assert torch.equal(model.vector, torch.ones(4))


def test_a_published_file_leaves_the_rest_of_a_model(theirs: StateDict) -> None:
    model = Enhancer()
    model.vector.fill_(3)
    found = model.load_state_dict(prefixed(theirs, "module."), strict=False)
    assert found.missing_keys == ["vector"]
    assert found.unexpected_keys == []
    assert torch.equal(model.vector, torch.full((4,), 3.0))


def test_the_given_state_dict_is_not_changed(theirs: StateDict) -> None:
    keys = list(theirs)
    LightMapUNet().load_state_dict(theirs)
    assert list(theirs) == keys


class TestUnknownCheckpoints:
    def test_neither_ours_nor_theirs(self, tmp_path: Path) -> None:
        path = tmp_path / "resnet.pth"
        torch.save({"state_dict": {"layer1.weight": torch.ones(1), "fc.bias": torch.ones(1)}}, path)
        for model in (LightMapUNet(), Enhancer()):
            with pytest.raises(UnknownCheckpointError) as error:
                load_checkpoint(model, str(path))
            message = str(error.value)
            assert "found keys: layer1.weight, fc.bias" in message
            assert "conv_in.weight" in message
            assert "cond1.weight" in message

    @pytest.mark.parametrize("published", [True, False])
    def test_a_key_missing(self, published: bool, ours: StateDict, theirs: StateDict) -> None:
        weights = theirs if published else ours
        gone = list(weights)[7]
        del weights[gone]
        assert not is_published(weights)
        for model in (LightMapUNet(), Enhancer()):
            with pytest.raises(UnknownCheckpointError, match=f"missing: {gone}\n  not known: none"):
                model.load_state_dict(weights, strict=False)

    def test_a_key_missing_in_a_model(self, ours: StateDict) -> None:
        del ours["conv_out.bias"]
        with pytest.raises(UnknownCheckpointError, match="missing: conv_out.bias\n"):
            Enhancer().load_state_dict(prefixed(ours, "generator."), strict=False)

    def test_a_key_too_many(self, theirs: StateDict) -> None:
        theirs["module.cond2.weight"] = torch.ones(1)
        with pytest.raises(UnknownCheckpointError, match="not known: cond2.weight"):
            convert_published(theirs)

    @pytest.mark.parametrize("published", [True, False])
    def test_other_widths(self, published: bool, ours: StateDict, theirs: StateDict) -> None:
        weights = theirs if published else ours
        weights["condx.weight" if published else "conv_widen.weight"] = torch.ones(48, 32, 3, 3)
        wanted = r"conv_widen.weight: \(48, 32, 3, 3\) instead of \(64, 32, 3, 3\)"
        for model in (LightMapUNet(), Enhancer()):
            with pytest.raises(UnknownCheckpointError, match=wanted):
                model.load_state_dict(weights, strict=False)

    def test_published_file_into_a_model_that_does_not_know_them(self, theirs: StateDict) -> None:
        with pytest.raises(UnknownCheckpointError, match="network's own\n? *init_cfg"):
            Other().load_state_dict(prefixed(theirs, "module."), strict=False)

    @pytest.mark.parametrize("content", [[1, 2], {3: torch.ones(1)}, {}])
    def test_not_a_state_dict(self, content: Any) -> None:
        with pytest.raises(UnknownCheckpointError):
            extract_generator_weights(content)

    def test_is_a_value_error(self) -> None:
        assert issubclass(UnknownCheckpointError, ValueError)
