"""RAVE's demo with the paper's network in place of the one that sees small, to compare.

The ablations of the demo take it, as the paper's do: their figures are of this network.
"""

_base_ = "rave_demo.py"

model = dict(
    generator=dict(_delete_=True, type="LightMapUNet", start="identity", padding_mode="reflect"),
    losses=dict(guidance=dict(loss_weight=15.0)),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
