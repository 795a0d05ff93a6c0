"""CLIP-LIT (arXiv 2303.17569): a light-map U-Net, guided by a prompt pair that is learned too.

Network, reconstruction and identity loss are RAVE's.
"""

_base_ = "rave.py"

_guidance_clip = dict(model="ViT-B-32-quickgelu", pretrained="openai")

model = dict(
    type="PromptGuidedEnhancer",
    pair=dict(type="PromptPair", clip=_guidance_clip),
    losses=dict(
        initialisation=dict(type="PromptInitialisationLoss", clip=_guidance_clip),
        guidance=dict(
            _delete_=True, type="CLIPEnhanceLoss", clip=_guidance_clip, loss_weight=320.0
        ),
        ranking=dict(type="PromptRankingLoss", clip=_guidance_clip, loss_weight=200.0),
    ),
)
