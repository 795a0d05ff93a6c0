"""MMEngine's pure-Python configs say what the text ones say, and may name classes of ours."""

import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from rave_mm import config_path

FROM_A_BASE = """
from mmengine.config import read_base
from rave_mm.enhancers.backlit_enhancer import BacklitEnhancer
from rave_mm.networks.small_view_net import SmallViewLightMapNet
with read_base():
    from .base import *
model["type"] = BacklitEnhancer
model["generator"] = dict(type=SmallViewLightMapNet)
"""
BUILD = """
import sys
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
config = Config.fromfile(sys.argv[1])
print(config.model.type.__module__)  # imported here, before anything else of this package
import rave_mm.register  # for what the config names by text: MMEngine reads no custom_imports here
init_default_scope("mmagic")
model = MODELS.build(config.model)
print(type(model).__name__, type(model.generator).__name__)
"""


@pytest.mark.parametrize("method", ["rave", "clip_lit", "clip_lit_latent"])
def test_they_say_what_the_text_says(method: str) -> None:
    pure = Config.fromfile(config_path(f"pure_python/{method}")).to_dict()
    text = Config.fromfile(config_path(f"{method}/{method}_baid_paired")).to_dict()
    assert {name: pure.get(name) for name in text} == text


@pytest.mark.slow
def test_a_class_in_place_of_a_name(tmp_path: Path) -> None:
    """In a fresh Python, where nothing has applied the cures that MMagic needs."""
    base = Config.fromfile(config_path("rave/rave_baid_paired"))
    base.dump(tmp_path / "base.py")
    (tmp_path / "config.py").write_text(FROM_A_BASE)
    command = [sys.executable, "-c", BUILD, str(tmp_path / "config.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("BacklitEnhancer SmallViewLightMapNet\n"), done.stderr
