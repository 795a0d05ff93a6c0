"""Must the photos of the residual vector be pairs? Unpaired, the well-lit ones are DIV2K's."""

_base_ = ["../rave_baid_paired.py", "../../_base_/grids/three_seeds.py"]

_well_lit = "model.losses.guidance.residual.well_lit"
ablation = dict(
    axes=dict(photos=dict(paired={}, unpaired={_well_lit: "data/DIV2K/DIV2K_train_HR"})),
)
