"""CLIP-guided enhancement of backlit photographs, as components of MMagic."""

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rave_mm.inference import enhance

__all__ = ["__version__", "config_path", "enhance"]

__version__ = "0.1.0"

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
    """Import `enhance` when it is asked for: it needs PyTorch, which takes seconds."""
    if name == "enhance":
        from rave_mm.inference import enhance

        return enhance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
