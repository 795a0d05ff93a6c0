"""CLIP-LIT-Latent on BAID as a pure-Python config: what `clip_lit_latent_baid_paired.py` says."""

from mmengine.config import read_base

with read_base():
    from .clip_lit import *

model["pair"] = dict(type="LatentPair", clip=clip)
optim_wrapper["pair"]["optimizer"].update(lr=5e-4)
