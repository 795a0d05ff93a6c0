"""The network that ships: the same in onnxruntime, and files without PyTorch."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from rave_mm.inference.bundled import BUNDLED_ENHANCER, BUNDLED_ONNX
from rave_mm.inference.choosing import choose_enhancer
from rave_mm.inference.failure_signs import FailureMeter
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.inference.seeing import OnnxSeer
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.photos.colour import GRAY, SRGB, colour_space, image_of
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo

ROOT = Path(__file__).parents[2]


def with_pytorch() -> Any:
    """The same network in PyTorch; these tests run where that is not installed, too."""
    pytest.importorskip("torch")
    from rave_mm.inference.photo_enhancer import PhotoEnhancer

    return PhotoEnhancer(BUNDLED_ENHANCER, device="cpu")


def photo(*size: int) -> np.ndarray:
    """Dark on the left, with some texture."""
    values = np.random.default_rng(0).integers(10, 60, (*size, 3))
    values[:, size[1] // 2 :] += 150
    return values.astype(np.uint8)


@pytest.mark.parametrize("size", [(300, 500), (160, 107), (33, 20), (1, 1), (1, 90), (2000, 3)])
def test_onnxruntime_gives_pytorchs_lines(size: tuple[int, int]) -> None:
    shipped, pytorch = ShippedEnhancer(), with_pytorch()
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
    wanted = ShippedEnhancer().enhance(photo(200, 300))
    assert np.abs(read_photo(target).astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("profile", ["", "p3"])
def test_arrays_get_pytorchs_results(dtype: str, channels: int, profile: str) -> None:
    pixels = photo(600, 700)[..., :channels]
    if dtype != "uint8":
        pixels = pixels.astype(dtype) * (257 if dtype == "uint16" else np.float32(1 / 255))
        pixels = pixels.astype(dtype)
    if profile and (channels == 1 or dtype == "float32"):
        pytest.skip("P3 is of RGB, and profiles are of whole numbers")
    colour = colour_space(bytes(pyvips.Image.profile_load(profile)), 3) if profile else None
    lit = [np.zeros((600, 700), np.uint16) for _ in range(2)]
    meters = FailureMeter(), FailureMeter()
    found, wanted = (
        each.enhance_pixels(pixels, 1.2, colour=colour, meter=meter, light_map=light_map)
        for each, meter, light_map in zip(
            (ShippedEnhancer(), with_pytorch()), meters, lit, strict=True
        )
    )
    assert found.dtype == pixels.dtype and found.shape == pixels.shape
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    np.testing.assert_allclose(found / top, wanted / top, atol=1.01 / 255 if top == 255 else 2e-4)
    np.testing.assert_allclose(*(light_map.astype(float) for light_map in lit), atol=8)
    assert meters[0].signs().dark == meters[1].signs().dark > 0


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\); expected RGB"),
        (np.zeros((4, 4, 3)), "float64 values; expected uint8"),
        (np.full((4, 4, 3), np.nan, np.float32), r"values from nan to nan; expected \[0, 1\]"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
    ],
)
def test_what_is_no_photo_is_refused(pixels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShippedEnhancer().enhance(pixels)
    with pytest.raises(TypeError, match="got a dict; expected an array, a PIL image, a path"):
        ShippedEnhancer().enhance({})  # type: ignore[call-overload]


def test_an_unknown_setting_is_told() -> None:
    with pytest.raises(TypeError, match="got the setting strenght; expected any of checkpoint, "):
        choose_enhancer(strenght=0.5)  # type: ignore[call-arg]


def test_photographs_with_a_profile_are_enhanced_too(tmp_path: Path) -> None:
    wide = bytes(pyvips.Image.profile_load("p3"))
    Image.fromarray(photo(60, 90)).save(tmp_path / "photo.png", icc_profile=wide)
    (outcome,) = PhotoRun(ShippedEnhancer())(
        [PhotoJob(tmp_path / "photo.png", tmp_path / "bright.png")]
    )
    assert outcome.status == "done", outcome.reason
    with Image.open(tmp_path / "bright.png") as result:
        assert result.info["icc_profile"] == wide
    assert read_photo(tmp_path / "bright.png").mean() > photo(60, 90).mean()


WITHOUT_PYTORCH = """
import sys
for name in ("torch", "mmengine", "mmagic", "mmcv", "cv2", "scipy", "open_clip"):
    sys.modules[name] = None  # importing it fails
"""


def run_without_pytorch(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_PYTORCH + program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_one_call_needs_no_pytorch(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", photo(60, 90))
    program = """
import numpy, rave_mm
from PIL import Image
file = sys.argv[1]
found = rave_mm.enhance(file)
assert found.mean() > 1.02 * numpy.asarray(Image.open(file)).mean()
assert numpy.array_equal(rave_mm.enhance(Image.open(file)), found)
assert numpy.array_equal(rave_mm.enhance([numpy.asarray(Image.open(file))])[0], found)
try:
    rave_mm.enhance(file, checkpoint=file)
except ImportError as error:
    print(error)
try:
    rave_mm.enhance(file, checkpoint="missing.pth")
except FileNotFoundError as error:
    print(error)
"""
    done = run_without_pytorch(program, tmp_path / "a.png")
    assert done.returncode == 0, done.stderr
    assert "takes PyTorch, but torch is not installed" in done.stdout
    assert "pip install 'rave_mm[train]'" in done.stdout
    assert "no checkpoint missing.pth (looked from " in done.stdout


def test_files_need_no_pytorch(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos/a.png", photo(60, 90))
    write_photo(tmp_path / "photos/b.jpg", photo(600, 400))
    program = """
from rave_mm.__main__ import main
main(["enhance", *sys.argv[1:]])
"""
    out = tmp_path / "out"
    done = run_without_pytorch(program, tmp_path / "photos", "--out", out, "--compare")
    assert done.returncode == 0, done.stderr
    assert "2 done, 0 skipped, 0 failed" in done.stdout
    assert read_photo(out / "b.jpg").shape == (600, 400, 3)


def test_another_checkpoint_without_pytorch_is_told(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", photo(60, 90))
    program = """
from rave_mm.__main__ import main
main(["enhance", *sys.argv[1:]])
"""
    out, checkpoint = tmp_path / "out", tmp_path / "b.pth"
    checkpoint.touch()
    done = run_without_pytorch(
        program, tmp_path / "a.png", "--out", out, "--checkpoint", checkpoint
    )
    assert done.returncode == 1
    assert "torch is not installed" in done.stderr and "Traceback" not in done.stderr


def test_a_command_that_needs_pytorch_says_how_to_install_it() -> None:
    program = """
from rave_mm.__main__ import main
main(["train", "demo/rave_demo.py"])
"""
    done = run_without_pytorch(program)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "rave-mm train: got no torch. Install what training needs with" in done.stderr
