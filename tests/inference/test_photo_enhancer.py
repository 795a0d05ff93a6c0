"""Whatever kind of photograph goes in comes out enhanced, of the same kind."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import rave_mm
from rave_mm.functional import apply_light_map
from rave_mm.inference import PhotoEnhancer, enhance
from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.inference.light_map_strength import blend_light_map
from rave_mm.inference.small_view import LIGHT_MAP_OF_ONE
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo


def dark(height: int = 30, width: int = 71, dtype: type = np.uint8) -> np.ndarray:
    pixels = np.random.default_rng(0).random((height, width, 3), dtype=np.float32) * 0.4
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return (pixels * top).astype(dtype)


def whole(enhancer: PhotoEnhancer, pixels: np.ndarray) -> np.ndarray:
    """The whole photograph at once, (H, W, 3) in [0, 1]."""
    photo = torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()
    return apply_light_map(photo, enhancer.network(photo))[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays(enhancer: PhotoEnhancer, dtype: type) -> None:
    photo = dark(dtype=dtype)
    before = photo.copy()
    found = enhancer.enhance(photo)
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    wanted = whole(enhancer, (photo / np.float32(top)).astype(np.float32)) * top
    assert found.dtype == dtype
    # Half a step of rounding, and 1e-5.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * top + (0.5 if top > 1 else 0))
    assert found.mean() > 1.3 * photo.mean()
    np.testing.assert_array_equal(photo, before)


def test_memory_mapped(enhancer: PhotoEnhancer, tmp_path: Path) -> None:
    np.save(tmp_path / "photo.npy", dark())
    mapped = np.load(tmp_path / "photo.npy", mmap_mode="r")
    np.testing.assert_array_equal(enhancer.enhance(mapped), enhancer.enhance(dark()))


def test_tensors(enhancer: PhotoEnhancer) -> None:
    batch = torch.from_numpy(np.stack([dark(dtype=np.float32), dark(dtype=np.float32)[::-1] / 2]))
    batch = batch.permute(0, 3, 1, 2)
    found = enhancer.enhance(batch)
    for photo, one in zip(batch, found, strict=True):
        wanted = torch.from_numpy(whole(enhancer, photo.permute(1, 2, 0).contiguous().numpy()))
        torch.testing.assert_close(one, wanted.permute(2, 0, 1), rtol=0, atol=1e-5)
    torch.testing.assert_close(enhancer.enhance(batch[0]), found[0])
    assert enhancer.enhance(batch[0].half()).dtype == torch.float16
    assert not found.is_inference()


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1", "CMYK"])
def test_pil_images(enhancer: PhotoEnhancer, mode: str) -> None:
    image = Image.fromarray(dark()).convert(mode)
    image.info["dpi"] = (72, 72)
    found = enhancer.enhance(image)
    assert found.mode == {"P": "RGB", "1": "L", "CMYK": "RGB"}.get(mode, mode)
    assert found.size == image.size
    assert found.info["dpi"] == (72, 72)
    if "A" in mode:
        np.testing.assert_array_equal(np.array(found)[..., -1], np.array(image)[..., -1])
    rgb = enhancer.enhance(np.array(image.convert("RGB")))
    np.testing.assert_array_equal(np.array(found.convert("RGB")), rgb)


def test_16_bit_pil_image(enhancer: PhotoEnhancer) -> None:
    gray = dark(dtype=np.uint16)[..., 0]
    found = enhancer.enhance(Image.fromarray(gray))
    assert found.mode == "I;16"
    np.testing.assert_array_equal(np.array(found), enhancer.enhance_pixels(gray[..., None])[..., 0])


def test_paths(enhancer: PhotoEnhancer, tmp_path: Path) -> None:
    write_photo(tmp_path / "photo.png", dark())
    wanted = enhancer.enhance(dark())
    np.testing.assert_array_equal(enhancer.enhance(tmp_path / "photo.png"), wanted)
    out = tmp_path / "out.tif"
    assert enhancer.enhance(str(tmp_path / "photo.png"), out=out) == out
    np.testing.assert_array_equal(read_photo(out), wanted)


def test_the_one_call(checkpoint: Path, enhancer: PhotoEnhancer, tmp_path: Path) -> None:
    assert rave_mm.enhance is enhance
    write_photo(tmp_path / "photo.png", dark())
    wanted = enhancer.enhance(dark())
    np.testing.assert_array_equal(
        rave_mm.enhance(dark(), checkpoint=checkpoint, device="cpu"), wanted
    )
    both = rave_mm.enhance([tmp_path / "photo.png"] * 2, checkpoint=checkpoint, device="cpu")
    assert len(both) == 2
    np.testing.assert_array_equal(both[1], wanted)


def test_import_stays_light() -> None:
    code = "import sys, rave_mm; dir(rave_mm); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="has no attribute 'enhanse'"):
        _ = rave_mm.enhanse


def test_a_checkpoint_needs_pytorch_alone(checkpoint: Path) -> None:
    """MMagic, and what MMEngine trains with, would take as long to import as PyTorch."""
    code = f"""
import sys
from rave_mm.inference.photo_enhancer import PhotoEnhancer
PhotoEnhancer({str(checkpoint)!r}, device="cpu")
print([name for name in ("mmagic", "mmengine.model", "sympy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strength_0_is_the_photograph(enhancer: PhotoEnhancer, dtype: type) -> None:
    every = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)[:: 1 if dtype == np.uint8 else 17]
    photo = np.resize(every, (30, 50, 3))
    np.testing.assert_array_equal(enhancer.enhance(photo, 0), photo)


def test_strength_goes_through_the_light_map() -> None:
    light_map = torch.tensor([0.0, 0.005, 0.5, 1.0, 1.5])
    torch.testing.assert_close(blend_light_map(light_map, 0), torch.ones(5))
    assert torch.equal(blend_light_map(light_map, 1), light_map)
    torch.testing.assert_close(
        blend_light_map(light_map, 0.5), torch.tensor([0.5, 0.5025, 0.75, 1.0, 1.25])
    )
    torch.testing.assert_close(
        blend_light_map(light_map, 3), torch.tensor([0.0, 0.005, 0.01, 1.0, 2.5])
    )
    for strength in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="got strength=.*expected 0"):
            blend_light_map(light_map, strength)


def test_light_map_of_zero(enhancer: PhotoEnhancer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As apply_light_map has it: black stays black, all else is white; never NaN."""
    photo = np.zeros((4, 5, 3), np.uint8)
    photo[1] = 9
    monkeypatch.setattr(enhancer.network, "forward", lambda x: torch.zeros_like(x[:, :1]))
    found = enhancer.enhance(photo)
    assert (found[1] == 255).all()
    assert found.sum() == found[1].sum()


def test_light_map_and_signs(enhancer: PhotoEnhancer) -> None:
    photo, meter = dark(dtype=np.uint16), FailureMeter()
    light_map = np.empty(photo.shape[:2], np.uint16)
    found = enhancer.enhance_pixels(photo, meter=meter, light_map=light_map)
    divided = np.clip(photo / (light_map[..., None] / LIGHT_MAP_OF_ONE), 0, 65535)
    np.testing.assert_allclose(found, divided, atol=3)
    clipped = (found == 65535).any(2).mean()
    assert meter.signs().newly_clipped == pytest.approx(clipped)


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.zeros((4, 5), np.uint8), r"shape \(4, 5\); expected RGB"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
        (np.zeros((4, 5, 3)), "got float64 values"),
        (np.full((4, 5, 3), 2, np.float32), r"got values from 2 to 2; expected \[0, 1\]"),
        (np.full((4, 5, 3), np.nan, np.float32), "got values from nan"),
        (torch.zeros(1, 1, 4, 4), r"tensor of shape \(1, 1, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "tensor of torch.uint8"),
        (torch.full((3, 4, 4), -1.0), "got values from -1 to -1"),
        (Image.new("F", (4, 4)), "mode 'F'"),
    ],
)
def test_what_is_refused(enhancer: PhotoEnhancer, photo: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        enhancer.enhance(photo)


def test_other_kinds_are_refused(enhancer: PhotoEnhancer) -> None:
    with pytest.raises(TypeError, match="got a list; expected an array"):
        enhancer.enhance([1, 2])  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="out: got a.png for a ndarray"):
        enhancer.enhance(dark(), out="a.png")  # type: ignore[call-overload]


def test_too_little_memory(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="expected at least 4.8 MB"):
        PhotoEnhancer(checkpoint, device="cpu", max_memory=1000)
