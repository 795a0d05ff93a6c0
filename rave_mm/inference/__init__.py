"""Enhances photographs: arrays, PIL images, tensors and files, of any size."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rave_mm.inference.photo_enhancer import PhotoEnhancer, enhance

__all__ = ["PhotoEnhancer", "enhance"]


def __getattr__(name: str) -> Any:
    """Import these when they are asked for: they need PyTorch, which takes seconds."""
    if name in __all__:
        from rave_mm.inference import photo_enhancer

        return getattr(photo_enhancer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
