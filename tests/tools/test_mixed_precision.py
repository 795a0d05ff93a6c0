"""tools/train.py --amp."""

from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.config import Config

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.networks.light_map_unet import LightMapUNet
from tests.tools.loading import load_tool
from tests.tools.tiny_run import CONFIG, options


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("train")


def test_mixed_precision_is_for_each_of_several_optimizers(tool: ModuleType) -> None:
    one = {"type": "OptimWrapper", "optimizer": {"type": "Adam"}, "clip_grad": {"max_norm": 1}}
    two = {"constructor": "MultiOptimWrapperConstructor", "generator": one, "pair": {**one}}
    config = Config({"optim_wrapper": two})
    tool.use_mixed_precision(config)
    assert config.optim_wrapper.to_dict() == {
        "constructor": "MultiOptimWrapperConstructor",
        "generator": {**one, "type": "BFloat16OptimWrapper"},
        "pair": {**one, "type": "BFloat16OptimWrapper"},
    }
    config.optim_wrapper.pair.type = "ApexOptimWrapper"
    with pytest.raises(ValueError, match="--amp: got optim_wrapper of type ApexOptimWrapper"):
        tool.use_mixed_precision(config)


def test_an_amp_wrapper_of_the_config_stays(tool: ModuleType) -> None:
    config = Config({"optim_wrapper": {"type": "AmpOptimWrapper", "dtype": "float16"}})
    tool.use_mixed_precision(config)
    assert config.optim_wrapper.to_dict() == {"type": "AmpOptimWrapper", "dtype": "float16"}


def test_mixed_precision_needs_a_machine_that_has_it(
    tool: ModuleType, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(tool, "cpu_has_bfloat16", lambda: False)
    monkeypatch.setattr("sys.argv", ["train.py", CONFIG, "--amp"])
    with pytest.raises(SystemExit, match="--amp needs a GPU, or a CPU that multiplies in bfloat16"):
        tool.main()


@pytest.mark.slow
def test_a_cpu_trains_in_mixed_precision(
    tool: ModuleType, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network runs under autocast, and its weights stay float32."""
    monkeypatch.setattr(tool, "cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    autocast: list[bool] = []
    forward = LightMapUNet.forward

    def watched(self: LightMapUNet, photos: torch.Tensor) -> torch.Tensor:
        autocast.append(torch.is_autocast_enabled("cpu"))
        return forward(self, photos)

    monkeypatch.setattr(LightMapUNet, "forward", watched)
    arguments = ["train.py", CONFIG, "--amp", "--work-dir", str(work / "out"), *options(2)]
    monkeypatch.setattr("sys.argv", arguments)
    tool.main()
    assert autocast[:2] == [True, True]
    weights = torch.load(work / "out/iter_2.pth", weights_only=True)["state_dict"]
    kinds = {value.dtype for value in weights.values() if value.is_floating_point()}
    assert kinds == {torch.float32}
