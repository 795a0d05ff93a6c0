"""Devices and precisions: what is computed in, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

import rave_mm
from rave_mm.inference import PhotoEnhancer
from rave_mm.inference.arithmetic import Precision, arithmetic, check_precision, choose_device
from rave_mm.inference.weights import load_network

CPU = torch.device("cpu")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    for name, message in (("tpu9", "expected auto"), ("mps", "expected auto"), ("cuda", "no GPU")):
        with pytest.raises(ValueError, match=message):
            choose_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"


def photo(height: int, width: int) -> np.ndarray:
    columns = np.linspace(5, 100, width, dtype=np.uint8)
    noise = np.random.default_rng(0).integers(0, 20, (height, width, 3), np.uint8)
    return columns[:, None] + noise


@pytest.mark.parametrize(
    ("size", "side"),
    [((40, 45), None), ((90, 130), None), ((90, 130), 60)],
    ids=["one tile", "tiles", "a small view"],
)
def test_bfloat16_is_near(checkpoint: Path, size: tuple[int, int], side: int | None) -> None:
    """Of 255 steps, three at most: bfloat16 has 8 bits, and the light map is rounded to them."""
    single, half = (
        PhotoEnhancer(
            checkpoint, device="cpu", precision=precision, light_map_side=side, max_memory=10**8
        )
        for precision in ("float32", "bfloat16")
    )
    wanted, found = (enhancer.enhance(photo(*size)).astype(int) for enhancer in (single, half))
    assert 0 < np.abs(found - wanted).max() <= 3
    assert abs((found - wanted).mean()) < 0.5
    np.testing.assert_array_equal(half.enhance(photo(*size), 0), photo(*size))
    assert half.enhance(torch.rand(3, 20, 30)).dtype == torch.float32


def test_bfloat16_with_published_weights(reference: Path) -> None:
    """Tiles agree with the whole to the same rounding, so that there are no seams."""
    network = load_network(reference / "rave_unpaired.pth")
    part = torch.from_numpy(photo(64, 80)).permute(2, 0, 1)[None] / 255
    with torch.no_grad(), arithmetic(CPU, "bfloat16"):
        found = network(part)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), network(part), rtol=0.02, atol=0)


def test_the_one_call_and_the_precision(checkpoint: Path) -> None:
    wanted = PhotoEnhancer(checkpoint, device="cpu", precision="bfloat16").enhance(photo(30, 50))
    found = rave_mm.enhance(
        photo(30, 50), checkpoint=checkpoint, device="cpu", precision="bfloat16"
    )
    np.testing.assert_array_equal(found, wanted)


def test_float64_stays_float64() -> None:
    """So do the sums of the pyramid pooling."""
    with arithmetic(CPU, "bfloat16"):
        assert (torch.rand(3, 3).double() @ torch.rand(3, 3).double()).dtype == torch.float64
        assert (torch.rand(3, 3) @ torch.rand(3, 3)).dtype == torch.bfloat16


def test_what_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="float16 on a CPU.*expected float32, bfloat16, or a GPU"):
        PhotoEnhancer(checkpoint, device="cpu", precision="float16")
    unknown: Precision = "int8"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="got precision 'int8'; expected float32, bfloat16, fl"):
        check_precision(unknown, CPU)
    check_precision("float16", torch.device("cuda"))
