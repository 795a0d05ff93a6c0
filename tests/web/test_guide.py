"""The guide's file scores as the CLIP and its residual vector do."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from skimage import data

from rave_mm.clip.encoder import load_clip
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.direction.clouds import embed_clouds
from rave_mm.direction.residual_vector import residual_from_folders
from rave_mm.photos.writing import write_photo
from rave_mm.web.guide import LIGHTING_GUIDE, Guide
from tests.needs import needs_onnx
from tests.web.site import backlit


def test_it_is_of_the_clip_that_ships() -> None:
    """Whoever trains another has to export another guide: `tools/residual.py export`."""
    told = onnxruntime.InferenceSession(str(LIGHTING_GUIDE)).get_modelmeta().custom_metadata_map
    assert told["clip_fingerprint"] == load_clip().fingerprint


def test_light_is_scored() -> None:
    """A photo that is well lit, and what backlight makes of it; both of the CLIP's own training."""
    photo, rng = data.coffee(), np.random.default_rng(0)
    guide = Guide()
    well_lit, dark = (
        guide.score(each.astype(np.float32) / 255)
        for each in (photo, synthetic_backlight(photo, rng))
    )
    assert 0.6 < well_lit < 1.2 and -0.3 < dark < 0.3


@needs_onnx
def test_an_export_is_what_pytorch_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 for the mean backlit photo's projection and 1 for the target, at any shape of photo."""
    from rave_mm.direction.guide_export import export_guide

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for index in range(4):
        photo = np.rot90(backlit(120, 150, index), index).copy()
        write_photo(tmp_path / "well-lit" / f"{index}.png", photo)
        write_photo(tmp_path / "backlit" / f"{index}.png", synthetic_backlight(photo, rng))
    clip = load_clip()
    folders = tmp_path / "well-lit", tmp_path / "backlit"
    residual, clouds = residual_from_folders(clip, *folders), embed_clouds(clip, *folders)
    export_guide(clip, residual, clouds, tmp_path / "guide.onnx")
    guide = Guide(tmp_path / "guide.onnx")
    mean = torch.nn.functional.normalize(clouds.backlit.embeddings.mean(0), dim=0)
    zero = float(mean @ residual.vector)
    for shape in ((96, 96), (200, 131), (97, 300)):
        photo = backlit(*shape)
        prepared = clip.prepare_photo(Image.fromarray(photo))[None]
        with torch.no_grad():
            along = float(clip.embed_prepared(prepared)[0] @ residual.vector)
        wanted = (along - zero) / (residual.target - zero)
        assert guide.score(photo.astype(np.float32) / 255) == pytest.approx(wanted, abs=0.01)
    assert (tmp_path / "guide.onnx").stat().st_size < 15e6  # two bytes a parameter


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "guide.onnx").write_bytes(b"no")
    for path in (tmp_path / "guide.onnx", tmp_path / "missing.onnx"):
        with pytest.raises(ValueError, match="is no guide .*`rave-mm residual export`"):
            Guide(path)
