"""RAVE on BAID's backlit photos, the residual vector towards the photos of DIV2K."""

_base_ = "rave_baid_paired.py"

model = dict(losses=dict(guidance=dict(residual=dict(well_lit="data/DIV2K/DIV2K_train_HR"))))
