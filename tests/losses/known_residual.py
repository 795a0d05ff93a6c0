"""A residual vector of the bundled CLIP, drawn and not computed."""

import torch

from rave_mm.clip.encoder import load_clip
from rave_mm.direction.residual_vector import Provenance, ResidualVector


def provenance(fingerprint: str) -> Provenance:
    return Provenance("a CLIP", fingerprint, "w", "b", 3, 2, 0, "mean", "2026-01-01T00:00:00+00:00")


def bundled_residual(seed: int = 0) -> ResidualVector:
    clip = load_clip()
    vector = torch.nn.functional.normalize(
        torch.randn(clip.dimension, generator=torch.Generator().manual_seed(seed)), dim=0
    )
    return ResidualVector(vector, 0.3, provenance(clip.fingerprint))
