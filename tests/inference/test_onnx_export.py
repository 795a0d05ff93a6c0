"""The exported network computes what the network does, for any size, without PyTorch."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from rave_mm.functional import apply_light_map
from rave_mm.inference import PhotoEnhancer
from rave_mm.inference.onnx_export import (
    ExportableEnhancer,
    ExportError,
    export_onnx,
    largest_difference,
)
from rave_mm.inference.weights import load_network
from rave_mm.networks.small_view_net import HIGHEST, LOWEST, SmallViewLightMapNet
from tests.code_blocks import blocks
from tests.needs import needs_onnx


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "rave.onnx"
    assert export_onnx(load_network(checkpoint), path) < 1e-5
    return path


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 7), (12, 12), (61, 83)])
def test_what_is_exported_is_the_network(checkpoint: Path, size: tuple[int, int]) -> None:
    network = load_network(checkpoint)
    photo = torch.rand(2, 3, *size) * 0.4
    light_map, enhanced = ExportableEnhancer(network)(photo)
    torch.testing.assert_close(light_map, network(photo), rtol=0, atol=1e-5)
    torch.testing.assert_close(enhanced, apply_light_map(photo, light_map))


@pytest.mark.slow
@needs_onnx
def test_sizes_that_it_was_not_traced_with(exported: Path, checkpoint: Path) -> None:
    shapes = [(1, 2, 9), (4, 3, 3), (1, 101, 13), (2, 90, 160)]
    assert largest_difference(load_network(checkpoint), exported, shapes) < 1e-5
    # Of other weights, so that the comparison is known to tell.
    assert largest_difference(load_network(checkpoint, "zeros"), exported, shapes) > 1e-3


@pytest.mark.slow
@needs_onnx
def test_the_network_that_sees_small(tmp_path: Path) -> None:
    import onnxruntime

    network = SmallViewLightMapNet(48, (8, 12, 16)).eval()
    with torch.no_grad():
        network.out.weight.normal_(std=0.1)
    shapes = [(1, 2, 9), (4, 48, 32), (1, 5, 48), (2, 37, 48)]
    assert export_onnx(network, tmp_path / "lines.onnx") < 1e-5
    assert largest_difference(network, tmp_path / "lines.onnx", shapes) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "lines.onnx")
    told = session.get_modelmeta().custom_metadata_map
    assert told == {"side": "48", "lowest": str(LOWEST), "highest": str(HIGHEST)}
    other = SmallViewLightMapNet(48, (8, 12, 16)).eval()
    assert largest_difference(other, tmp_path / "lines.onnx", shapes) > 1e-3


@pytest.mark.slow
@needs_onnx
def test_the_lines_of_the_docs(exported: Path, checkpoint: Path, tmp_path: Path) -> None:
    """As they stand there, in a Python where PyTorch cannot be imported."""
    (lines,) = (b.code for b in blocks("docs/enhance.md") if "import onnxruntime" in b.code)
    columns = np.linspace(20, 90, 72, dtype=np.uint8)
    photo = np.stack([columns, columns // 2, columns // 3], axis=1)[None].repeat(45, axis=0)
    (tmp_path / "rave.onnx").write_bytes(exported.read_bytes())
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "dark.jpg", quality=95, subsampling=0, exif=exif)
    code = f"import sys\nsys.modules['torch'] = None\n{lines}"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    enhancer = PhotoEnhancer(checkpoint, device="cpu")
    enhancer.enhance(tmp_path / "dark.jpg", out=tmp_path / "wanted.png")
    with (
        Image.open(tmp_path / "bright.jpg") as found,
        Image.open(tmp_path / "wanted.png") as wanted,
    ):
        assert found.size == wanted.size == (45, 72)
        difference = np.array(found).astype(int) - np.array(wanted)
    assert np.abs(difference).mean() < 1.5  # what JPEG makes of it


@pytest.mark.slow
@needs_onnx
def test_a_file_that_is_off_is_not_kept(
    exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the exporter had taken one way of padding for the other."""
    data = exported.read_bytes()
    wrong = SimpleNamespace(save=lambda path: path.write_bytes(data))
    monkeypatch.setattr(torch.onnx, "export", lambda *arguments, **options: wrong)
    (tmp_path / "rave.onnx").write_text("the one before")
    with pytest.raises(ExportError, match="is off by .*; expected at most 1e-04"):
        export_onnx(load_network(checkpoint, "zeros"), tmp_path / "rave.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["rave.onnx"]
    assert (tmp_path / "rave.onnx").read_text() == "the one before"
