"""Must the photos of the residual vector be pairs?

Unpaired, the well-lit ones show other things: those from a to f, which are mostly flowers, against
backlit photos from g to z.
"""

_base_ = ["../rave_demo_paper_network.py", "../../_base_/grids/three_seeds.py"]

_residual = "model.losses.guidance.residual"
_backlit = {f"{_residual}.backlit": _base_.train_backlit + "/[g-z]*"}
ablation = dict(
    axes=dict(
        photos=dict(
            paired={**_backlit, f"{_residual}.well_lit": _base_.train_well_lit + "/[g-z]*"},
            unpaired={**_backlit, f"{_residual}.well_lit": _base_.train_well_lit + "/[a-f]*"},
        )
    ),
)
