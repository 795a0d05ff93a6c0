"""A video model: BasicVSR, four times, on clips that pan over backlit photos.

Its flow network starts untrained, since MMagic's weights for it would have to be fetched.
"""

_base_ = "../_base_/mix.py"

model = dict(
    type="BasicVSR",
    generator=dict(type="BasicVSRNet", mid_channels=16, num_blocks=1),
    pixel_loss=dict(
        type="LossSum",
        terms=dict(
            pixel=dict(type="CharbonnierLoss"),
            guidance=dict(type="ResidualGuidanceLoss", residual=_base_.residual, loss_weight=0.003),
        ),
        gradients_every=20,
    ),
    data_preprocessor=dict(
        type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, output_channel_order="RGB"
    ),
)
train_pipeline = [
    dict(type="LoadPhoto", key="img"),
    dict(type="LoadPhoto", key="gt"),
    dict(type="PanOverPhoto", frames=5, size=128, step=8),
    dict(type="Resize", keys=["img"], scale=0.25, keep_ratio=True, interpolation="area"),
    dict(type="PackInputs"),
]
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=train_pipeline))
# The demo set has no clips to validate with.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
custom_hooks = [dict(type="LossInputsHook")]
default_hooks = dict(checkpoint=dict(save_best=None))
