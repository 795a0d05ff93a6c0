"""CLIP-LIT on BAID; the pair learns from the ground truth of its backlit photos, unpaired."""

_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/models/clip_lit.py",
    "../_base_/datasets/baid.py",
    "../_base_/schedules/clip_lit.py",
]

train_cfg = dict(
    loaders=dict(
        prompts=dict(dataset=dict(backlit=_base_.train_backlit, well_lit=_base_.train_well_lit))
    )
)
