"""MMagic's own inferencer knows our enhancers, without the packages that it cannot import."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rave_mm
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo

PROGRAM = """
import sys
from rave_mm.mmagic_inferencer import MMagicInferencer
assert "controlnet_aux" not in sys.modules
inferencer = MMagicInferencer(model_name="bundled_enhancer", device="cpu")
inferencer.infer(img=sys.argv[1], result_out_dir=sys.argv[2])
try:
    MMagicInferencer(model_name="rave", device="cpu")
except FileNotFoundError as error:
    print(error)
from mmengine.hub import get_model
print(type(get_model("rave_mm::clip_lit/clip_lit_baid_div2k.py")).__name__)
"""


@pytest.mark.slow
def test_it_enhances_as_we_do(tmp_path: Path) -> None:
    """To the rounding of 8 bits; and MMEngine's hub builds a model by the name of its config."""
    ramp = np.linspace(5, 240, 160)[None, :, None] * np.array([1, 0.9, 0.7])
    photo = np.repeat(ramp, 120, axis=0).astype(np.uint8)
    source, result = tmp_path / "dark.png", tmp_path / "out" / "bright.png"
    write_photo(source, photo)
    command = [sys.executable, "-c", PROGRAM, str(source), str(result)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    enhanced = read_photo(result).astype(int)
    assert np.abs(enhanced - rave_mm.enhance(photo).astype(int)).max() <= 1
    assert "rave without model_ckpt: name a checkpoint" in done.stdout
    assert done.stdout.endswith("PromptGuidedEnhancer\n")
