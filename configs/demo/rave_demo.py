"""RAVE on real photographs with the bundled CLIP: minutes on two cores, nothing to download.

What it trains is the network that sees small, not the paper's. It starts as the identity, which
makes the reconstruction phase needless, and takes the bundled CLIP for both losses, whose scales
are not those of OpenAI's: hence weights and a learning rate of its own.
"""

_base_ = [
    "../_base_/demo_runtime.py",
    "../_base_/models/rave.py",
    "../_base_/datasets/demo.py",
    "../_base_/schedules/rave.py",
]

model = dict(
    generator=dict(_delete_=True, type="SmallViewLightMapNet"),
    losses=dict(
        _delete_=True,
        guidance=dict(
            type="ResidualGuidanceLoss",
            residual=dict(well_lit=_base_.train_well_lit, backlit=_base_.train_backlit),
            loss_weight=60.0,
        ),
        identity=dict(type="CLIPIdentityLoss", loss_weight=1.0),
    ),
)
train_cfg = dict(
    _delete_=True,
    type="PhasedTrainLoop",
    phases=[dict(name="guided", iterations=480, losses=["guidance", "identity"])],
    val_interval=120,
)
optim_wrapper = dict(optimizer=dict(lr=5e-4), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, end=60, by_epoch=False),
    dict(type="CosineAnnealingLR", begin=60, end=480, eta_min=1e-6, by_epoch=False),
]
