"""A restorer, NAFNet, learns to relight from pairs; RAVE guides, and CLIP keeps the content.

MMagic's own loader reads BGR here, so the losses state BGR.
"""

_base_ = "../_base_/mix.py"

_bgr = dict(channel_order="bgr", value_range=(0, 1))

model = dict(
    type="BaseEditModel",
    generator=dict(
        type="NAFNet", mid_channels=16, enc_blk_nums=[1, 1], middle_blk_num=1, dec_blk_nums=[1, 1]
    ),
    pixel_loss=dict(
        type="LossSum",
        terms=dict(
            pixel=dict(type="L1Loss"),
            guidance=dict(
                type="ResidualGuidanceLoss", residual=_base_.residual, loss_weight=0.003, **_bgr
            ),
            # With the input: what it shows stays, whatever the light.
            identity=dict(
                type="CLIPIdentityLoss", compare_with_input=True, loss_weight=0.002, **_bgr
            ),
        ),
        gradients_every=20,
    ),
    data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3),
)
_load = [dict(type="LoadImageFromFile", key=key, channel_order="bgr") for key in ("img", "gt")]
train_pipeline = [
    *_load,
    dict(type="SetValues", dictionary=dict(scale=1)),
    dict(type="PairedRandomCrop", gt_patch_size=96),
    dict(type="Flip", keys=["img", "gt"]),
    dict(type="PackInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=[*_load, dict(type="PackInputs")]))
test_dataloader = val_dataloader
