"""RAVE on real photographs with the bundled CLIP: minutes on two cores, nothing to download.

It starts as the identity, which makes the reconstruction phase needless, and takes the bundled CLIP
for both losses, whose scales are not those of OpenAI's: hence weights and a learning rate of its
own. The bundled CLIP knows photographs that stand upright, so they are mirrored and cropped only.
"""

_base_ = "../rave/rave_baid_paired.py"

demo = "data/demo/"

model = dict(
    generator=dict(start="identity", padding_mode="reflect"),
    losses=dict(
        _delete_=True,
        guidance=dict(
            type="ResidualGuidanceLoss",
            residual=dict(well_lit=demo + "train/well-lit", backlit=demo + "train/backlit"),
            loss_weight=10.0,
        ),
        identity=dict(type="CLIPIdentityLoss", loss_weight=2.0),
    ),
)

train_pipeline = [
    dict(type="LoadPhoto", key="img"),
    dict(
        type="RandomResizedCrop",
        keys=["img"],
        crop_size=96,
        scale=(0.4, 1.0),
        interpolation="area",
    ),
    dict(type="Flip", keys=["img"]),
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
    phases=[dict(name="guided", iterations=200, losses=["guidance", "identity"])],
    val_interval=100,
)
optim_wrapper = dict(optimizer=dict(lr=2e-4), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, end=20, by_epoch=False),
    dict(type="CosineAnnealingLR", begin=20, end=200, eta_min=1e-6, by_epoch=False),
]
# Three of the twelve test photos in each validation.
custom_hooks = [dict(type="BasicVisualizationHook", interval=dict(val=4, test=1))]
default_hooks = dict(checkpoint=dict(interval=100), logger=dict(interval=20))
