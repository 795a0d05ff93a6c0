"""A tiny `PromptGuidedEnhancer`, and the phases that CLIP-LIT trains it in."""

from typing import Any

from mmagic.registry import MODELS

from rave_mm.enhancers.prompt_enhancer import PromptGuidedEnhancer
from tests.enhancers.batches import PREPROCESSOR, Phase

LOSSES = {
    "initialisation": {"type": "PromptInitialisationLoss"},
    "reconstruction": {"type": "CLIPIdentityLoss", "layer_weights": (1.0,) * 5},
    "guidance": {"type": "CLIPEnhanceLoss", "loss_weight": 10.0},
    "identity": {"type": "CLIPIdentityLoss"},
    "ranking": {"type": "PromptRankingLoss"},
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
