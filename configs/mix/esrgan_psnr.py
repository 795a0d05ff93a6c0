"""Super-resolution with a perceptual loss: ESRGAN's generator, four times, of backlit photos.

CLIP's feature maps are the perceptual loss. MMagic's own, of a VGG, would have to fetch weights.
"""

_base_ = "../_base_/mix.py"

model = dict(
    type="BaseEditModel",
    generator=dict(
        type="RRDBNet",
        in_channels=3,
        out_channels=3,
        mid_channels=16,
        num_blocks=2,
        growth_channels=8,
        upscale_factor=4,
    ),
    pixel_loss=dict(
        type="LossSum",
        terms=dict(
            pixel=dict(type="L1Loss"),
            perceptual=dict(type="CLIPIdentityLoss", loss_weight=0.002),
            guidance=dict(type="ResidualGuidanceLoss", residual=_base_.residual, loss_weight=0.01),
        ),
        gradients_every=20,
    ),
    data_preprocessor=dict(
        type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, output_channel_order="RGB"
    ),
)
_load = [dict(type="LoadPhoto", key="img"), dict(type="LoadPhoto", key="gt")]
_shrink = dict(type="Resize", keys=["img"], scale=0.25, keep_ratio=True, interpolation="area")
train_pipeline = [
    *_load,
    dict(type="SetValues", dictionary=dict(scale=1)),
    dict(type="PairedRandomCrop", gt_patch_size=128),
    dict(type="Flip", keys=["img", "gt"]),
    _shrink,
    dict(type="PackInputs"),
]
# Sides that four divides, as the enlarged result has them.
_crop = dict(type="Crop", keys=["img", "gt"], crop_size=(252, 252), random_crop=False)
val_pipeline = [*_load, _crop, _shrink, dict(type="PackInputs")]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
