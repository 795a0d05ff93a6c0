"""How many photos of either kind does the residual vector need? Each seed draws others."""

_base_ = ["../rave_baid_paired.py", "../../_base_/grids/three_seeds.py"]

_residual = "model.losses.guidance.residual"
ablation = dict(
    axes=dict(photos={**{str(n): {f"{_residual}.photos": n} for n in (4, 16, 64)}, "all": {}}),
)
