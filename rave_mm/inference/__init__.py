"""Enhances photographs: arrays, PIL images, tensors and files, of any size."""

from rave_mm.inference.photo_enhancer import PhotoEnhancer, enhance

__all__ = ["PhotoEnhancer", "enhance"]
