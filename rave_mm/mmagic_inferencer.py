"""MMagic's inferencer, with the enhancers of this package among its models.

    from rave_mm.mmagic_inferencer import MMagicInferencer

    inferencer = MMagicInferencer(model_name="rave", model_ckpt="iter_11000.pth")
    inferencer.infer(img="dark.jpg", result_out_dir="bright.png")

It reads and writes as MMagic does: 8 bits, without metadata, the whole photograph at once.
:func:`rave_mm.enhance` and ``rave-mm enhance`` keep what a file holds.
"""

import os
from pathlib import Path
from typing import Any

from rave_mm import config_path
from rave_mm.inference.bundled import BUNDLED_ENHANCER
from rave_mm.runtime import compat

compat.apply()
compat.provide_mmagic_apis()

# E402: MMagic imports only after the cures.
import mmagic  # noqa: E402
from mmagic.apis import MMagicInferencer  # noqa: E402

import rave_mm.registry  # noqa: E402, F401 - so that configs are found by name

__all__ = ["MMagicInferencer"]

CONFIGS = {
    "rave": "rave/rave_baid_paired.py",
    "clip_lit": "clip_lit/clip_lit_baid_div2k.py",
    "clip_lit_latent": "clip_lit_latent/clip_lit_latent_baid_div2k.py",
    "bundled_enhancer": "demo/bundled_enhancer.py",
}
"""The config of each model's name. The last has a checkpoint, the others take `model_ckpt`."""


def _setting(name: str, config: str) -> dict[str, Any]:
    """What MMagic knows of a model: it reads the same from its own metafiles."""
    # MMagic looks for configs below its own folder, so the way to ours is told from there.
    configs = Path(mmagic.__file__).parent / ".mim" / "configs"
    missing = f"{name} without model_ckpt: name a checkpoint of yours or a published one"
    return {
        "Name": name,
        "Config": f"configs/{os.path.relpath(config_path(config), configs)}",
        "Weights": str(BUNDLED_ENHANCER) if name == "bundled_enhancer" else missing,
    }


def _register() -> None:
    MMagicInferencer.init_inference_supported_models_cfg()
    for name, config in CONFIGS.items():
        if name not in MMagicInferencer.inference_supported_models:
            MMagicInferencer.inference_supported_models.append(name)
        MMagicInferencer.inference_supported_models_cfg[name] = {
            "task": "Image Restoration",
            "settings": [_setting(name, config)],
        }


_register()
