"""RAVE's demo with the paper's network in place of the one that sees small, to compare.

The ablations of the demo take it, as the paper's do: their figures are of this network.
"""

_base_ = "rave_demo.py"

model = dict(
    generator=dict(_delete_=True, type="LightMapUNet", start="identity", padding_mode="reflect"),
    losses=dict(guidance=dict(loss_weight=15.0)),
)
train_cfg = dict(
    phases=[dict(name="guided", iterations=240, losses=["guidance", "identity"])], val_interval=60
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, end=60, by_epoch=False),
    dict(type="CosineAnnealingLR", begin=60, end=240, eta_min=1e-6, by_epoch=False),
]
