"""tools/train.py --amp."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper

import rave_mm.register  # noqa: F401 - registers what the tests build
from tests.tools.loading import load_tool
from tests.tools.tiny_run import CONFIG, run


def test_mixed_precision_leaves_gradients_unscaled(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config({"optim_wrapper": {"type": "OptimWrapper"}})
    load_tool("train").use_mixed_precision(config)
    settings = config.optim_wrapper.to_dict()
    assert settings.pop("type") == "AmpOptimWrapper"
    # As on a machine with a GPU, where the scaler does not switch itself off.
    monkeypatch.setattr(amp_optimizer_wrapper, "is_cuda_available", lambda: True)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    parameter = torch.nn.Parameter(torch.ones(2))
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD([parameter], lr=0.5), **settings)
    assert wrapper.cast_dtype is torch.bfloat16
    assert not wrapper.loss_scaler.is_enabled()
    wrapper.backward((parameter * torch.tensor([2.0, 3e38])).sum())
    assert parameter.grad is not None
    torch.testing.assert_close(parameter.grad, torch.tensor([2.0, 3e38]))
    wrapper.step()
    torch.testing.assert_close(parameter.detach(), torch.tensor([0.0, -1.5e38]))


def test_mixed_precision_is_for_each_of_several_optimizers() -> None:
    one = {"type": "OptimWrapper", "optimizer": {"type": "Adam"}, "clip_grad": {"max_norm": 1}}
    two = {"constructor": "MultiOptimWrapperConstructor", "generator": one, "pair": {**one}}
    config = Config({"optim_wrapper": two})
    load_tool("train").use_mixed_precision(config)
    mixed = {"type": "AmpOptimWrapper", "dtype": "bfloat16", "loss_scale": {"enabled": False}}
    assert config.optim_wrapper.to_dict() == {
        "constructor": "MultiOptimWrapperConstructor",
        "generator": {**one, **mixed},
        "pair": {**one, **mixed},
    }
    config.optim_wrapper.pair.type = "ApexOptimWrapper"
    with pytest.raises(ValueError, match="--amp: got optim_wrapper of type ApexOptimWrapper"):
        load_tool("train").use_mixed_precision(config)


def test_mixed_precision_needs_a_gpu(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="--amp needs a GPU"):
        run(monkeypatch, "train", CONFIG, "--amp")
