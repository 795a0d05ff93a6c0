"""CLIP-LIT on BAID as a pure-Python config: what `clip_lit/clip_lit_baid_paired.py` says."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.baid import *
    from .._base_.default_runtime import *
    from .._base_.models.rave import *
    from .._base_.schedules.clip_lit import *

clip = dict(model="ViT-B-32-quickgelu", pretrained="openai")
model.update(type="PromptGuidedEnhancer", pair=dict(type="PromptPair", clip=clip))
model["losses"].update(
    initialisation=dict(type="PromptInitialisationLoss", clip=clip),
    guidance=dict(type="CLIPEnhanceLoss", clip=clip, loss_weight=320.0),
    ranking=dict(type="PromptRankingLoss", clip=clip, loss_weight=200.0),
)
train_cfg["loaders"]["prompts"]["dataset"].update(
    backlit=train_backlit,
    well_lit=train_well_lit,
)
