"""The demo set that `tools/prepare_data.py demo` makes: 63 small photos and 12 of other scenes.

The bundled CLIP knows photographs that stand upright, so they are mirrored and cropped only.
"""

_base_ = "baid.py"

data_root = "data/demo/"
train_backlit = data_root + "train/backlit"
train_well_lit = data_root + "train/well-lit"

train_pipeline = [
    dict(type="LoadPhoto", key="img"),
    dict(
        type="RandomResizedCrop",
        keys=["img"],
        crop_size=96,
        scale=(0.15, 1.0),
        interpolation="area",
    ),
    dict(type="Flip", keys=["img"]),
    dict(type="PackInputs"),
]
train_dataloader = dict(
    batch_size=6,
    num_workers=1,
    dataset=dict(backlit=train_backlit, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(backlit=data_root + "test/resize_input", well_lit=data_root + "test/resize_gt"),
)
test_dataloader = val_dataloader
test_metrics = ["PSNR", "SSIM"]
