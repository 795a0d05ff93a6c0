"""How many photos of either kind does the residual vector need? Each seed draws others."""

_base_ = ["../rave_demo_paper_network.py", "../../_base_/grids/three_seeds.py"]

_residual = "model.losses.guidance.residual"
ablation = dict(
    axes=dict(
        photos={
            "4": {f"{_residual}.photos": 4},
            "16": {f"{_residual}.photos": 16},
            "all 63": {},
        }
    ),
)
