"""The checkpoint that ships: the network that sees small, on pairs made while training.

Each well-lit photo is backlit anew each time it is seen, so every one has its ground truth, and
that alone teaches: RAVE's identity loss, which asks for the dark photo's features, took contrast
away (docs/bundled_enhancer.md). The photos are those of `tools/prepare_data.py enhancer`;
validation is on other scenes.
"""

_base_ = "rave_demo.py"

iterations = 4500
train_data = "data/enhancer/train/"
val_data = "data/enhancer/val/soft/"

model = dict(
    losses=dict(_delete_=True, fidelity=dict(type="L1Loss", loss_weight=50.0)),
    paired_losses=["fidelity"],
)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type="BasicImageDataset",
        data_root=train_data,
        data_prefix=dict(gt="well-lit", subject="subject"),
        pipeline=[
            dict(type="LoadPhoto", key="gt"),
            dict(type="LoadPhoto", key="subject"),
            dict(
                type="RandomResizedCrop",
                keys=["gt", "subject"],
                crop_size=240,
                scale=(0.2, 1.0),
                interpolation="area",
            ),
            dict(type="Flip", keys=["gt", "subject"]),
            # 170 photos are learned by heart without it.
            dict(
                type="ColorJitter",
                keys=["gt"],
                brightness=0.15,
                contrast=0.15,
                saturation=0.4,
                hue=0.02,
            ),
            dict(
                type="SynthesizeBacklight",
                ev=(0.5, 4.5),
                shadows=dict(
                    ellipse=20,
                    subject=20,
                    region=14,
                    segments=8,
                    below_the_sky=10,
                    room=5,
                    everywhere=6,
                    mixed=4,
                    nowhere=22,
                ),
                noise=(0.5, 4.0),
                jpeg=(70, 98),
                lift=0.25,
            ),
            dict(type="PackInputs"),
        ],
    ),
)
val_dataloader = dict(dataset=dict(backlit=val_data + "backlit", well_lit=val_data + "well-lit"))
train_cfg = dict(
    phases=[
        dict(name="supervised", iterations=iterations, losses=["fidelity"]),
    ],
    val_interval=900,
)
default_hooks = dict(checkpoint=dict(interval=900))
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, end=200, by_epoch=False),
    dict(type="CosineAnnealingLR", begin=200, end=iterations, eta_min=1e-6, by_epoch=False),
]
