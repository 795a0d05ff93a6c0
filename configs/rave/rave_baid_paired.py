"""RAVE on BAID, the residual vector from each backlit photo's own ground truth."""

_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/models/rave.py",
    "../_base_/datasets/baid.py",
    "../_base_/schedules/rave.py",
]

residual = dict(well_lit=_base_.train_well_lit, backlit=_base_.train_backlit)
model = dict(losses=dict(guidance=dict(residual=residual)))
