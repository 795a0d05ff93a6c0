"""LPIPS on seeded random weights against the package itself; FID by hand."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import lpips
import numpy as np
import pytest
import torch
import torchvision
from scipy import linalg
from torch import Tensor, nn
from torchvision import transforms
from torchvision.models import vgg

import rave_mm.register  # noqa: F401 - the cures that MMagic needs
from rave_mm.evaluation.lpips_weights import BACKBONES
from rave_mm.evaluation.metric_weights import torch_hub_folder
from rave_mm.evaluation.perceptual import PhotoFID, PhotoLPIPS, frechet_distance, load_lpips
from rave_mm.evaluation.photo_metric import NotComputableError
from rave_mm.runtime.weights_folder import weights_folder

CPU = torch.device("cpu")
PLACES = (weights_folder(), torch_hub_folder())  # before a fixture sets others


@pytest.fixture(autouse=True)
def no_internet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fetch(url: str, *arguments: object, **settings: object) -> None:
        raise URLError("no internet in tests")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture
def quick_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG without the classifier, which LPIPS drops: its random start takes seconds."""

    def features(pretrained: bool) -> SimpleNamespace:
        return SimpleNamespace(features=vgg.make_layers(vgg.cfgs["D"]))

    monkeypatch.setattr(lpips.pretrained_networks.tv, "vgg16", features)


def random_lpips(backbone: str, folder: Path) -> nn.Module:
    """The package's network on seeded random weights, which are also written as torchvision's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    for parameter in network.net.parameters():  # far from what torchvision starts with
        nn.init.normal_(parameter, std=0.05)
    state = {
        f"features.{key.partition('.')[2]}": value
        for key, value in network.net.state_dict().items()
    }
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / BACKBONES[backbone])
    return network


def photos(count: int, height: int = 64, width: int = 72) -> Tensor:
    return torch.rand(count, 3, height, width) * 255


@pytest.mark.parametrize("backbone", BACKBONES)
def test_lpips_is_the_packages(backbone: str, tmp_path: Path, quick_vgg: None) -> None:
    network = random_lpips(backbone, tmp_path / "weights")
    metric = PhotoLPIPS(backbone)
    metric.check(has_truth=True)
    metric.start(CPU)
    pictures, truth = photos(2), photos(1)[0]
    with torch.no_grad():
        values = metric.measure(pictures, truth)
        wanted = [
            float(network(picture[None] / 255, truth[None] / 255, normalize=True))
            for picture in pictures
        ]
        swapped = float(network(pictures[:1].flip(1) / 127.5 - 1, truth[None].flip(0) / 127.5 - 1))
    assert values == pytest.approx(wanted, rel=1e-5)
    assert values[0] != pytest.approx(swapped, rel=1e-3)  # the order of channels matters
    assert metric.name == f"LPIPS-{backbone}"
    with torch.no_grad():
        assert metric.measure(truth[None], truth) == [0.0]


def test_lpips_as_the_published_script(tmp_path: Path) -> None:
    network = random_lpips("alex", tmp_path / "weights")
    metric = PhotoLPIPS(as_rave_script=True)
    metric.start(CPU)
    pictures = photos(2, 40, 41).round()
    prepare = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.Resize(1024),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    first, second = (prepare(picture.to(torch.uint8)) for picture in pictures)
    assert first.shape == (3, 1024, 1049)
    with torch.no_grad():
        wanted = float(network(second, first))
        assert metric.measure(pictures[1:], pictures[0]) == [pytest.approx(wanted, rel=1e-5)]
    assert metric.name == "LPIPS-alex-imagenet-short1024"


def real_weights(backbone: str) -> Path:
    name = BACKBONES[backbone]
    found = next((folder / name for folder in PLACES if (folder / name).is_file()), None)
    if found is None:
        pytest.skip(f"the weights {name} are neither in {PLACES[0]} nor in {PLACES[1]}")
    return found


@pytest.mark.weights
@pytest.mark.parametrize("backbone", BACKBONES)
def test_real_weights_give_the_packages_values(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where they are: LPIPS of a photo and its negative, whose value is the package's."""
    real = real_weights(backbone)
    # The package looks in PyTorch's folder alone, and for the classifier too.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch_hub_folder().mkdir(parents=True)
    builders = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
    whole = torchvision.models.get_model(builders[backbone], weights=None).state_dict()
    whole |= torch.load(real, weights_only=True)
    torch.save(whole, torch_hub_folder() / real.name)
    metric = PhotoLPIPS(backbone)
    metric.start(CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net=backbone, verbose=False)
    truth = photos(1)[0]
    with torch.no_grad():
        wanted = float(network((255 - truth)[None] / 127.5 - 1, truth[None] / 127.5 - 1))
        (value,) = metric.measure((255 - truth)[None], truth)
    assert value == pytest.approx(wanted, rel=1e-5)


@pytest.mark.weights
def test_real_weights_give_a_value_that_others_have_had() -> None:
    """Only where they are: 0.3494 is what a user of torchmetrics has published for this."""
    network = load_lpips("vgg", real_weights("vgg"))
    rng = np.random.RandomState(123)
    first, second = (torch.from_numpy(rng.rand(10, 3, 100, 100)).float() for _ in range(2))
    with torch.no_grad():
        value = network(first * 2 - 1, second * 2 - 1).mean().item()
    assert value == pytest.approx(0.3494, abs=5e-5)


def test_missing_weights_are_told_with_their_place(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(NotComputableError) as raised:
        PhotoLPIPS("vgg").check(has_truth=True)
    assert "vgg16-397923af.pth are not on this machine" in raised.value.reason
    assert raised.value.remedy == (
        "Fetch https://download.pytorch.org/models/vgg16-397923af.pth where there is internet and "
        f"put it at {tmp_path / 'weights/vgg16-397923af.pth'}"
    )
    monkeypatch.setattr("rave_mm.evaluation.perceptual.MMAGIC_CACHE_DIR", str(tmp_path / "mmagic"))
    with pytest.raises(NotComputableError, match="inception-2015-12-05.pt are not on this machine"):
        PhotoFID().check(has_truth=True)


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / BACKBONES["alex"]
    for content in (b"not weights", None):
        if content:
            path.write_bytes(content)
        else:
            torch.save({"features.0.weight": torch.zeros(1)}, path)
        with pytest.raises(NotComputableError, match="holds no weights of alex"):
            PhotoLPIPS().start(CPU)


def test_bad_settings_and_tiny_photos() -> None:
    with pytest.raises(ValueError, match="backbone: got 'resnet', expected one of alex, vgg"):
        PhotoLPIPS("resnet")
    metric = PhotoLPIPS()
    metric.network = nn.Identity()
    with pytest.raises(NotComputableError, match="31x40 pixels are less than 32"):
        metric.measure(torch.zeros(1, 3, 40, 31), torch.zeros(3, 40, 31))


class MeanColours(nn.Module):
    """Stands in for Inception: six features, each channel's mean and greatest value."""

    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        assert pictures.dtype == torch.uint8 and return_features
        flat = pictures.float().flatten(2)
        return torch.cat([flat.mean(2), flat.max(2)[0]], 1)


def test_fid_is_of_all_results_and_all_truths(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    torch.jit.script(MeanColours()).save(str(tmp_path / "weights/inception-2015-12-05.pt"))
    metric = PhotoFID()
    metric.check(has_truth=True)
    metric.start(CPU)
    measured, features = [], {"result": [], "input": [], "truth": []}
    for _ in range(9):
        result, photo, truth = photos(3, 5, 6)
        measured.append(tuple(metric.measure(torch.stack([result, photo]), truth)))
        for name, shown in (("result", result), ("input", photo), ("truth", truth)):
            rounded = (shown + 0.5).floor().to(torch.uint8)[None]
            features[name].append(MeanColours()(rounded, return_features=True)[0].double().numpy())
    found = metric.summarise(measured)
    for value, name in zip(found, ("result", "input"), strict=True):
        one, other = np.stack(features[name]), np.stack(features["truth"])
        root = linalg.sqrtm(np.cov(one.T) @ np.cov(other.T)).real
        distance = ((one.mean(0) - other.mean(0)) ** 2).sum()
        distance += np.trace(np.cov(one.T) + np.cov(other.T) - 2 * root)
        assert value == pytest.approx(distance, rel=1e-6)
    with pytest.raises(NotComputableError, match="one photo has no covariance"):
        metric.summarise(measured[:1])


def test_frechet_distance_by_hand() -> None:
    """Of Gaussians with one covariance it is the squared distance of their means."""
    features = np.random.default_rng(0).normal(size=(50, 4))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(features + [3.0, 4, 0, 0], features) == pytest.approx(25, abs=1e-5)
    # In one direction it is (m - n)^2 + (s - t)^2, of means and standard deviations.
    stretched = features * [3.0, 1, 1, 1]
    wanted = (2 * features[:, 0].mean()) ** 2
    assert frechet_distance(stretched, features) > wanted
