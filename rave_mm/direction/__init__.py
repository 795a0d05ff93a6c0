"""Directions in CLIP space: estimated from photos, judged, read in words, steered."""
