"""CLIP-LIT-Latent on BAID: CLIP-LIT with two vectors in CLIP space, which learn faster."""

_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/models/clip_lit_latent.py",
    "../_base_/datasets/baid.py",
    "../_base_/schedules/clip_lit.py",
]

train_cfg = dict(
    loaders=dict(
        prompts=dict(dataset=dict(backlit=_base_.train_backlit, well_lit=_base_.train_well_lit))
    )
)
optim_wrapper = dict(pair=dict(optimizer=dict(lr=5e-4)))
