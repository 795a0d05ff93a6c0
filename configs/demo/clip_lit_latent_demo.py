"""CLIP-LIT-Latent on real photographs with the bundled CLIP: CLIP-LIT's demo with two vectors."""

_base_ = "clip_lit_demo.py"

model = dict(pair=dict(_delete_=True, type="LatentPair"))
optim_wrapper = dict(pair=dict(optimizer=dict(lr=1e-2)))
