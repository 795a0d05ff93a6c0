"""The checkpoint that ships: RAVE's losses beside a supervised one, on pairs made while training.

Each well-lit photo is backlit anew each time it is seen, so every one has its ground truth. Besides
the demo set's there are those of the bundled CLIP (`tools/prepare_data.py lighting-clip`).
"""

_base_ = "rave_demo.py"

model = dict(
    losses=dict(
        fidelity=dict(type="L1Loss", loss_weight=50.0),
        guidance=dict(loss_weight=2.0),
        identity=dict(loss_weight=0.5),
    ),
    paired_losses=["fidelity"],
)
_well_lit = dict(
    type="BasicImageDataset",
    pipeline=[
        dict(type="LoadPhoto", key="gt"),
        dict(
            type="RandomResizedCrop",
            keys=["gt"],
            crop_size=96,
            scale=(0.1, 1.0),
            interpolation="area",
        ),
        dict(type="Flip", keys=["gt"]),
        dict(type="SynthesizeBacklight", ev=(0.5, 4.5)),
        dict(type="PackInputs"),
    ],
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[
            dict(data_root="data/demo/train/", data_prefix=dict(gt="well-lit"), **_well_lit),
            dict(data_root="data/lighting_clip/", data_prefix=dict(gt="train"), **_well_lit),
        ],
    ),
)
train_cfg = dict(
    phases=[
        dict(name="supervised", iterations=1200, losses=["fidelity", "guidance", "identity"]),
    ],
    val_interval=200,
)
optim_wrapper = dict(optimizer=dict(lr=4e-4, weight_decay=0.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, end=60, by_epoch=False),
    dict(type="CosineAnnealingLR", begin=60, end=1200, eta_min=1e-6, by_epoch=False),
]
