"""The network that ships: the same in onnxruntime, and files without PyTorch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from rave_mm.inference.bundled import BUNDLED_ENHANCER, BUNDLED_ONNX
from rave_mm.inference.photo_enhancer import PhotoEnhancer
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.inference.seeing import OnnxSeer
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.photos.colour import GRAY, SRGB, image_of
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo

ROOT = Path(__file__).parents[2]


def photo(*size: int) -> np.ndarray:
    """Dark on the left, with some texture."""
    values = np.random.default_rng(0).integers(10, 60, (*size, 3))
    values[:, size[1] // 2 :] += 150
    return values.astype(np.uint8)


@pytest.mark.parametrize("size", [(300, 500), (160, 107), (33, 20), (1, 1), (1, 90), (2000, 3)])
def test_onnxruntime_gives_pytorchs_lines(size: tuple[int, int]) -> None:
    shipped, pytorch = ShippedEnhancer(), PhotoEnhancer(BUNDLED_ENHANCER, device="cpu")
    assert shipped.light_map_side == pytorch.light_map_side
    (view, lines), (other_view, wanted) = (
        seer.see(image_of(photo(*size)), SRGB) for seer in (shipped, pytorch)
    )
    np.testing.assert_array_equal(view, other_view)
    assert (lines.lowest, lines.highest, lines.logarithmic) == (
        wanted.lowest,
        wanted.highest,
        wanted.logarithmic,
    )
    if min(view.shape[:2]) > 1:
        assert lines.slopes.shape == wanted.slopes.shape
        np.testing.assert_allclose(lines.slopes, wanted.slopes, atol=1e-4)
        np.testing.assert_allclose(lines.offsets, wanted.offsets, atol=1e-4)
    else:  # a side of one pixel is seen doubled
        found, given = lines.whole(view / np.float32(255)), wanted.whole(view / np.float32(255))
        np.testing.assert_allclose(found, given, rtol=0.2)


def test_gray_and_another_side() -> None:
    seer = OnnxSeer(BUNDLED_ONNX, light_map_side=64)
    view, lines = seer.see(image_of(photo(90, 128)[..., :1]), GRAY)
    assert view.shape == (45, 64, 1) and lines.slopes.shape == (12, 16)
    with pytest.raises(ValueError, match="got light_map_side=0; expected 1 pixel or more"):
        OnnxSeer(BUNDLED_ONNX, light_map_side=0)


def test_another_export_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(BUNDLED_ONNX)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match="is no export of a SmallViewLightMapNet"):
        OnnxSeer(tmp_path / "other.onnx")


def test_files_get_the_results_of_arrays(tmp_path: Path) -> None:
    source, target = tmp_path / "photo.png", tmp_path / "bright.png"
    write_photo(source, photo(200, 300))
    (outcome,) = PhotoRun(ShippedEnhancer())([PhotoJob(source, target)])
    assert outcome.status == "done", outcome.reason
    wanted = PhotoEnhancer(BUNDLED_ENHANCER, device="cpu").enhance(photo(200, 300))
    assert np.abs(read_photo(target).astype(int) - wanted).max() <= 1
    np.testing.assert_array_equal(ShippedEnhancer().enhance_pixels(photo(200, 300)), wanted)


def test_photographs_with_a_profile_are_enhanced_too(tmp_path: Path) -> None:
    """As arrays, and so with PyTorch."""
    wide = bytes(pyvips.Image.profile_load("p3"))
    Image.fromarray(photo(60, 90)).save(tmp_path / "photo.png", icc_profile=wide)
    (outcome,) = PhotoRun(ShippedEnhancer())(
        [PhotoJob(tmp_path / "photo.png", tmp_path / "bright.png")]
    )
    assert outcome.status == "done", outcome.reason
    with Image.open(tmp_path / "bright.png") as result:
        assert result.info["icc_profile"] == wide
    assert read_photo(tmp_path / "bright.png").mean() > photo(60, 90).mean()


def test_files_need_no_pytorch(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos/a.png", photo(60, 90))
    write_photo(tmp_path / "photos/b.jpg", photo(600, 400))
    run = """
import runpy, sys
for name in ("torch", "mmengine", "mmagic", "mmcv"):
    sys.modules[name] = None  # importing it fails
sys.argv = ["tools/enhance.py", *sys.argv[1:]]
runpy.run_path("tools/enhance.py", run_name="__main__")
"""
    out = tmp_path / "out"
    command = [sys.executable, "-c", run, tmp_path / "photos", "--out", out, "--compare"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 done, 0 skipped, 0 failed" in done.stdout
    assert read_photo(out / "b.jpg").shape == (600, 400, 3)
