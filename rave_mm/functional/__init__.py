"""Every equation of RAVE, CLIP-LIT and CLIP-LIT-Latent as a pure function.

Notation: ``E`` is CLIP's image encoder and ``f(x) = E(x) / |E(x)|``, so that *embeddings* are unit
rows (N, D). Images are RGB in [0, 1], (N, 3, H, W). A *pair* is (2, D): row 0 is the negative
(backlit) prompt or latent vector, row 1 the positive (well-lit) one.

The losses that run in every training step check shapes only. A NaN or an infinity passes through
them into the loss, so that the training loop can stop and name the iteration and the photographs;
a check here would also make a GPU wait in every step. What is computed once for a whole run
(:func:`residual_vector`, :func:`token_shift`) refuses values that are not finite.

float16 and bfloat16 embeddings, features and light maps are computed with in float32.
Cosines are sums of products, not matrix products, which autocast would turn into low precision.

Papers: RAVE, arXiv 2404.01889 (ECCV 2024); CLIP-LIT, arXiv 2303.17569 (ICCV 2023).
"""

from rave_mm.functional.identity import identity_loss
from rave_mm.functional.images import (
    apply_light_map,
    clip_input,
)
from rave_mm.functional.prompts import (
    PUBLISHED_MARGINS,
    clip_enhance_loss,
    prompt_initialisation_loss,
    prompt_ranking_loss,
    prompt_score,
)
from rave_mm.functional.residual import residual_guidance_loss, residual_vector, target_along
from rave_mm.functional.steering import remove_span, token_shift

__all__ = [
    "PUBLISHED_MARGINS",
    "apply_light_map",
    "clip_enhance_loss",
    "clip_input",
    "identity_loss",
    "prompt_initialisation_loss",
    "prompt_ranking_loss",
    "prompt_score",
    "remove_span",
    "residual_guidance_loss",
    "residual_vector",
    "target_along",
    "token_shift",
]
