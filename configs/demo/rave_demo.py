"""RAVE on real photographs with the bundled CLIP: a few minutes on two cores, nothing to download.

It starts as the identity, which makes the reconstruction phase needless, and takes the bundled CLIP
for both losses, whose scale is not that of OpenAI's: hence weights and learning rate of its own.
"""

_base_ = "../rave/rave_baid_paired.py"

demo = "data/demo/"
iterations = 300

model = dict(
    generator=dict(start="identity", padding_mode="reflect"),
    losses=dict(
        _delete_=True,
        guidance=dict(
            type="ResidualGuidanceLoss",
            residual=dict(well_lit=demo + "train/well-lit", backlit=demo + "train/backlit"),
            loss_weight=10.0,
        ),
        identity=dict(type="CLIPIdentityLoss", loss_weight=10.0),
    ),
)

train_pipeline = [
    dict(type="LoadPhoto", key="img"),
    dict(type="AugmentBacklit", size=128),
    dict(type="PackInputs"),
]
train_dataloader = dict(
    batch_size=6,
    num_workers=1,
    dataset=dict(backlit=demo + "train/backlit", pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(backlit=demo + "test/resize_input", well_lit=demo + "test/resize_gt"),
)
test_dataloader = val_dataloader

train_cfg = dict(
    _delete_=True,
    type="PhasedTrainLoop",
    phases=[dict(name="guided", iterations=iterations, losses=["guidance", "identity"])],
    val_interval=100,
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, end=20, by_epoch=False),
    dict(type="CosineAnnealingLR", begin=20, end=iterations, eta_min=1e-6, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=100), logger=dict(interval=20))
