"""The three ways that are measured do the same, and are told apart."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rave_mm.benchmark import enhancing
from rave_mm.benchmark.enhancing import difference, make_photo, measure, why_not
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.writing import write_photo


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    network = LightMapUNet(start="identity")
    with torch.no_grad():
        network.conv_out.bias.fill_(0.5)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    return str(tmp_path / "weights.pth")


def test_all_ways_enhance(checkpoint: str, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 100, (90, 120, 3), np.uint8)
    np.save(tmp_path / "photo.npy", photo)
    for way in ("published", "exact", "small"):
        result = str(tmp_path / f"{way}.npy")
        # Tiles of 16 pixels.
        found = measure(way, str(tmp_path / "photo.npy"), result, checkpoint, "cpu", 5 * 10**6)
        assert found["seconds"] > 0 and found["peak_memory"] > 10**8
        assert np.load(result).mean() > 1.8 * photo.mean()
        apart = difference(tmp_path / "published.npy", tmp_path / f"{way}.npy")
        assert apart["largest"] is not None and apart["largest"] <= 1  # of rounding to 8 bits


def test_the_size_asked_for(tmp_path: Path) -> None:
    write_photo(tmp_path / "photo.png", np.zeros((30, 60, 3), np.uint8))
    assert make_photo(tmp_path / "photo.png", 0.02, tmp_path / "photo.npy") == (100, 200)
    assert np.load(tmp_path / "photo.npy").shape == (100, 200, 3)


def test_difference(tmp_path: Path) -> None:
    one = np.zeros((300, 10, 3), np.uint8)
    other = one.copy()
    other[270:, :, 1] = 4
    np.save(tmp_path / "one.npy", one)
    np.save(tmp_path / "other.npy", other)
    assert difference(tmp_path / "one.npy", tmp_path / "one.npy") == {"largest": 0, "psnr": None}
    found = difference(tmp_path / "one.npy", tmp_path / "other.npy")
    assert found["largest"] == 4
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 * 30 / 16))


def test_what_does_not_fit_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enhancing, "free_memory", lambda device: 10**9)
    assert (
        why_not("published", 1000, 1000, "cpu", False) == "would take about 1.9 GB, 1.0 GB are free"
    )
    assert why_not("published", 500, 1000, "cpu", False) is None
    assert why_not("exact", 10000, 10000, "cpu", False) is None
    assert why_not("published", 10000, 10000, "cpu", True) is None
    assert why_not("exact", 10, 10, "cpu", True) == "this network looks at a small view"
