"""A tiny `PromptGuidedEnhancer`, and the phases that CLIP-LIT trains it in."""

from typing import Any

from mmagic.registry import MODELS

from rave_mm.enhancers.prompt_enhancer import PromptGuidedEnhancer
from tests.enhancers.batches import PREPROCESSOR, Phase

# The bundled CLIP's own scale: with the published one the score saturates, without a gradient.
SCALE = 10.0
LOSSES = {
    "initialisation": {"type": "PromptInitialisationLoss", "scale": SCALE},
    "reconstruction": {"type": "CLIPIdentityLoss", "layer_weights": (1.0,) * 5},
    "guidance": {"type": "CLIPEnhanceLoss", "scale": SCALE, "loss_weight": 10.0},
    "identity": {"type": "CLIPIdentityLoss"},
    "ranking": {"type": "PromptRankingLoss", "scale": SCALE},
}
INITIALISATION = Phase("prompt initialisation", "pair", ("initialisation",))
RECONSTRUCTION = Phase("reconstruction", "generator", ("reconstruction",))
ENHANCEMENT = Phase("enhancement", "generator", ("guidance", "identity"))
REFINEMENT = Phase("refinement", "pair", ("ranking",))


def build(**changes: Any) -> PromptGuidedEnhancer:
    settings: dict[str, Any] = {
        "type": "PromptGuidedEnhancer",
        "generator": {"type": "LightMapUNet", "start": "identity"},
        "pair": {"type": "LatentPair"},
        "losses": LOSSES,
        "data_preprocessor": PREPROCESSOR,
    }
    return MODELS.build(settings | changes)


def started() -> PromptGuidedEnhancer:
    built = build()
    built.init_weights()
    return built
