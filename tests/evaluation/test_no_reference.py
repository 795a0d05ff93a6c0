"""NIQE is MMagic's; MUSIQ is pyiqa's, and what is missing is told."""

import sys
from pathlib import Path
from types import ModuleType
from urllib.error import URLError

import numpy as np
import pytest
import torch
from mmagic.evaluation import NIQE
from torch import Tensor, nn

import rave_mm.register  # noqa: F401 - the cures that MMagic needs
from rave_mm.datasets.shadows import smooth_noise
from rave_mm.evaluation import no_reference
from rave_mm.evaluation.no_reference import MUSIQ_WEIGHTS, PhotoMUSIQ, PhotoNIQE
from rave_mm.evaluation.photo_metric import NotComputableError


def rough(height: int, width: int) -> Tensor:
    rng = np.random.default_rng(0)
    channels = [
        128 + 30 * smooth_noise(height, width, 9, rng) + rng.normal(0, 8, (height, width))
        for _ in range(3)
    ]
    return torch.from_numpy(np.stack(channels).astype(np.float32)).clamp(0, 255)


def test_niqe_is_mmagics_without_ground_truth() -> None:
    photo = rough(200, 300)
    theirs = NIQE(input_order="CHW")
    bgr = photo.flip(0)
    theirs.process(None, [{"output": {"pred_img": bgr}, "gt_img": bgr}])  # it wants one
    metric = PhotoNIQE()
    metric.check(has_truth=False)
    assert metric.measure(photo[None], None) == [pytest.approx(theirs.results[0]["NIQE"], abs=1e-9)]
    assert metric.name == "NIQE-gray"


def test_photos_without_a_niqe_are_told() -> None:
    with pytest.raises(NotComputableError, match="191x150 pixels have less than two blocks"):
        PhotoNIQE().measure(torch.zeros(1, 3, 150, 191), None)
    with pytest.raises(NotComputableError, match="its statistics are degenerate"):
        PhotoNIQE().measure(torch.zeros(1, 3, 200, 200), None)


@pytest.fixture
def pyiqa(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Stands in for pyiqa: the mean of RGB in [0, 1], red counting double."""
    module = ModuleType("pyiqa")
    module.asked = {}

    class Network(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            assert pictures.min() >= 0 and pictures.max() <= 1
            weights = torch.tensor([2.0, 1.0, 1.0]).view(3, 1, 1)
            return (pictures * weights).mean((1, 2, 3))[:, None]

    def create_metric(name: str, **settings: object) -> nn.Module:
        module.asked.update(settings, name=name)
        torch.backends.cudnn.deterministic = not torch.backends.cudnn.deterministic
        return Network()

    module.create_metric = create_metric
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    monkeypatch.setattr(no_reference.importlib.util, "find_spec", lambda name: module)
    return module


def test_musiq_is_given_rgb_in_unit_range(
    pyiqa: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))
    weights = tmp_path / MUSIQ_WEIGHTS.rpartition("/")[2]
    weights.touch()
    metric = PhotoMUSIQ()
    metric.check(has_truth=False)
    before = torch.backends.cudnn.deterministic
    metric.start(torch.device("cpu"))
    assert torch.backends.cudnn.deterministic is before
    assert (pyiqa.asked["name"], pyiqa.asked["pretrained_model_path"]) == ("musiq", str(weights))
    red = torch.tensor([255.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert metric.measure(torch.cat([red, red.flip(1)]), None) == pytest.approx([2 / 3, 1 / 3])
    assert metric.name == "MUSIQ-koniq"


@pytest.mark.parametrize("raised", [RuntimeError, EOFError, KeyError, AttributeError])
def test_damaged_weights_of_musiq_are_told(
    raised: type[Exception],
    pyiqa: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def create_metric(name: str, **settings: object) -> nn.Module:
        raise raised("Error(s) in loading state_dict")

    monkeypatch.setattr(pyiqa, "create_metric", create_metric)
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))
    (tmp_path / MUSIQ_WEIGHTS.rpartition("/")[2]).touch()
    with pytest.raises(NotComputableError, match="holds no weights of MUSIQ") as told:
        PhotoMUSIQ().start(torch.device("cpu"))
    assert told.value.remedy == f"Delete it and fetch {MUSIQ_WEIGHTS} again"


def test_what_musiq_lacks_is_told(
    pyiqa: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*arguments: object, **settings: object) -> None:
        raise URLError("no internet in tests")

    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(NotComputableError, match="musiq_koniq_ckpt-e95806b9.pth are not on this"):
        PhotoMUSIQ().check(has_truth=False)
    monkeypatch.setattr(no_reference.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotComputableError, match="pyiqa is not installed.*requirements/metrics"):
        PhotoMUSIQ().check(has_truth=False)
