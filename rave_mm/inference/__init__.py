"""Enhances photographs: arrays, PIL images, tensors and files, of any size."""

from rave_mm.inference.one_call import enhance
from rave_mm.inference.photo_enhancer import PhotoEnhancer

__all__ = ["PhotoEnhancer", "enhance"]
