"""CLIP-guided enhancement of backlit photographs, as components of MMagic."""

import difflib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rave_mm.clip.encoder import FrozenCLIP
    from rave_mm.direction.residual_vector import ResidualVector
    from rave_mm.functional import apply_light_map
    from rave_mm.inference.choosing import enhance
    from rave_mm.inference.photo_enhancer import PhotoEnhancer
    from rave_mm.inference.shipped import ShippedEnhancer
    from rave_mm.losses.clip_identity_loss import CLIPIdentityLoss
    from rave_mm.losses.prompt_losses import CLIPEnhanceLoss
    from rave_mm.losses.residual_guidance_loss import ResidualGuidanceLoss
    from rave_mm.networks.light_map_unet import LightMapUNet
    from rave_mm.networks.small_view_net import SmallViewLightMapNet

__version__ = "1.0.0"

# Imported when they are asked for: what needs no PyTorch, and what does, which takes seconds.
_LIGHT = {
    "ShippedEnhancer": "rave_mm.inference.shipped",
    "enhance": "rave_mm.inference.choosing",
}
_WITH_PYTORCH = {
    "CLIPEnhanceLoss": "rave_mm.losses.prompt_losses",
    "CLIPIdentityLoss": "rave_mm.losses.clip_identity_loss",
    "FrozenCLIP": "rave_mm.clip.encoder",
    "LightMapUNet": "rave_mm.networks.light_map_unet",
    "PhotoEnhancer": "rave_mm.inference.photo_enhancer",
    "ResidualGuidanceLoss": "rave_mm.losses.residual_guidance_loss",
    "ResidualVector": "rave_mm.direction.residual_vector",
    "SmallViewLightMapNet": "rave_mm.networks.small_view_net",
    "apply_light_map": "rave_mm.functional",
}
__all__ = [
    "CLIPEnhanceLoss",
    "CLIPIdentityLoss",
    "FrozenCLIP",
    "LightMapUNet",
    "PhotoEnhancer",
    "ResidualGuidanceLoss",
    "ResidualVector",
    "ShippedEnhancer",
    "SmallViewLightMapNet",
    "__version__",
    "apply_light_map",
    "config_path",
    "enhance",
]

# libvips would print its warnings; it reads this when it is loaded, see rave_mm.photos.
os.environ.setdefault("VIPS_WARNING", "0")

_PACKAGE = Path(__file__).resolve().parent


def _shipped(folder: str) -> Path:
    """Find `configs` or `tools`: beside the package in a clone, in `.mim` once installed."""
    clone = _PACKAGE.parent
    if (clone / "setup.py").is_file() and (clone / folder).is_dir():
        return clone / folder
    return _PACKAGE / ".mim" / folder


def config_path(name: str) -> Path:
    """Find a config of this package, from a clone and from an installed package alike.

    Args:
        name: The config's path relative to `configs/`, such as `"demo/rave_demo.py"`; the
            suffix may be left out.

    Returns:
        The absolute path of the config.

    Raises:
        FileNotFoundError: There is no such config. The message lists those that can be run, not
            their bases, and the names closest to the one asked for.
    """
    root = _shipped("configs")
    wanted = Path(name).as_posix().removesuffix(".py") + ".py"
    configs = sorted(path.relative_to(root) for path in root.rglob("*.py"))
    if Path(wanted) in configs:
        return root / wanted
    available = [path.as_posix() for path in configs if "_base_" not in path.parts]
    by_file = {path: path.rpartition("/")[2] for path in available}
    close = [path for path in available if by_file[path] == wanted.rpartition("/")[2]]
    close += difflib.get_close_matches(wanted, available, n=3)
    hint = f" Did you mean {' or '.join(dict.fromkeys(close))}?" if close else ""
    listing = "".join(f"\n  {path}" for path in available) or " none"
    raise FileNotFoundError(f"no config {name!r} in {root}.{hint} Available:{listing}")


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name in _LIGHT:
        return getattr(importlib.import_module(_LIGHT[name]), name)
    if name in _WITH_PYTORCH:
        from rave_mm.runtime import compat
        from rave_mm.runtime.extras import needs

        with needs("train", f"rave_mm.{name} takes PyTorch"):
            compat.apply()  # without these cures MMagic does not import
            return getattr(importlib.import_module(_WITH_PYTORCH[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
