"""CLIP-LIT on real photographs with the bundled CLIP: minutes on two cores, nothing to download.

As in RAVE's demo, the network is the one that sees small and starts as the identity, and weights
and learning rates are the bundled CLIP's. So is the scale of the cosines, which is its logit scale.
"""

_base_ = [
    "../_base_/demo_runtime.py",
    "../_base_/models/clip_lit.py",
    "../_base_/datasets/demo.py",
    "../_base_/schedules/clip_lit.py",
]

model = dict(
    generator=dict(_delete_=True, type="SmallViewLightMapNet"),
    pair=dict(_delete_=True, type="PromptPair"),
    losses=dict(
        _delete_=True,
        initialisation=dict(type="PromptInitialisationLoss", scale=10.0),
        guidance=dict(type="CLIPEnhanceLoss", scale=10.0, loss_weight=40.0),
        identity=dict(type="CLIPIdentityLoss", loss_weight=1.0),
        ranking=dict(type="PromptRankingLoss", scale=10.0),
    ),
)

_crop = dict(type="RandomResizedCrop", crop_size=96, scale=(0.15, 1.0), interpolation="area")
_pipeline = [
    dict(type="LoadPhoto", key="img"),
    dict(type="LoadPhoto", key="ref"),
    dict(keys=["img"], **_crop),
    dict(keys=["ref"], **_crop),
    dict(type="Flip", keys=["img"]),
    dict(type="Flip", keys=["ref"]),
    dict(type="PackInputs", keys=["img", "ref"], meta_keys=["ref_path", "ref_channel_order"]),
]
train_cfg = dict(
    loaders=dict(
        prompts=dict(
            num_workers=1,
            dataset=dict(
                backlit=_base_.train_backlit,
                well_lit=_base_.train_well_lit,
                pipeline=_pipeline,
            ),
        )
    ),
    phases=[
        dict(
            name="initialisation",
            iterations=100,
            losses=["initialisation"],
            trains="pair",
            loader="prompts",
        ),
        dict(
            rounds=3,
            phases=[
                dict(name="enhancement", iterations=70, losses=["guidance", "identity"]),
                dict(
                    name="refinement",
                    iterations=20,
                    losses=["ranking"],
                    trains="pair",
                    loader="prompts",
                ),
            ],
        ),
    ],
    val_begin=101,  # before, the network has not changed
    val_interval=50,
)
optim_wrapper = dict(
    generator=dict(optimizer=dict(lr=5e-4), clip_grad=dict(max_norm=1.0)),
    pair=dict(optimizer=dict(lr=3e-4, weight_decay=0.0)),
)
# Without it the figures move by two decibels between validations.
param_scheduler = dict(
    generator=[
        dict(type="CosineAnnealingLR", begin=190, end=350, eta_min=1e-6, by_epoch=False),
    ],
    pair=[],
)
