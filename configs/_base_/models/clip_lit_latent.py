"""CLIP-LIT-Latent (arXiv 2404.01889): two vectors in CLIP space are learned instead of prompts."""

_base_ = "clip_lit.py"

model = dict(
    pair=dict(
        _delete_=True,
        type="LatentPair",
        clip=dict(model="ViT-B-32-quickgelu", pretrained="openai"),
    )
)
