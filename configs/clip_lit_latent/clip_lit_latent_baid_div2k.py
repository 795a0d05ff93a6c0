"""CLIP-LIT-Latent on BAID's backlit photos, DIV2K's for the pair."""

_base_ = "clip_lit_latent_baid_paired.py"

train_cfg = dict(loaders=dict(prompts=dict(dataset=dict(well_lit="data/DIV2K/DIV2K_train_HR"))))
