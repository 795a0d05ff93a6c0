"""Enhances photographs: arrays, PIL images, tensors and files, of any size."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rave_mm.inference.choosing import enhance
    from rave_mm.inference.photo_enhancer import PhotoEnhancer

__all__ = ["PhotoEnhancer", "enhance"]


def __getattr__(name: str) -> Any:
    """Import these when they are asked for: `PhotoEnhancer` needs PyTorch, which takes seconds."""
    if name == "enhance":
        from rave_mm.inference.choosing import enhance

        return enhance
    if name == "PhotoEnhancer":
        from rave_mm.inference.photo_enhancer import PhotoEnhancer

        return PhotoEnhancer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
