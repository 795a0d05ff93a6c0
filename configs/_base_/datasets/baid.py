"""BAID: 380 backlit photos and their retouched versions for training, 368 pairs for testing."""

data_root = "data/BAID/"
train_backlit = data_root + "train/backlit"
train_well_lit = data_root + "train/well-lit"

# Training looks at the backlit photos alone; the well-lit ones are in the residual vector.
train_pipeline = [
    dict(type="LoadPhoto", key="img", at_least=512),
    dict(type="AugmentBacklit", size=512, zoom=(0.7, 1.3)),
    dict(type="PackInputs"),
]
test_pipeline = [
    dict(type="LoadPhoto", key="img"),
    dict(type="LoadPhoto", key="gt"),
    dict(type="PackInputs"),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="ReplayableSampler", shuffle=True),
    dataset=dict(type="UnpairedPhotos", backlit=train_backlit, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="BacklitPairs",
        backlit=data_root + "test/resize_input",
        well_lit=data_root + "test/resize_gt",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

# The input's own figures stand beside the result's, as in the papers' tables. tools/test.py takes
# its metrics from a protocol (_base_/protocols) instead.
val_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="PSNR"),
        dict(type="SSIM"),
        dict(type="PSNR", pred_key="input", prefix="input"),
        dict(type="SSIM", pred_key="input", prefix="input"),
    ],
)
test_evaluator = val_evaluator
