"""As rave_own_photos.py, with the bundled CLIP: where OpenAI's weights cannot be had.

Losses, learning rate and length are the demo's, which were chosen for this CLIP; crops are twice as
large, since photos are.
"""

_base_ = "../demo/rave_demo.py"

train_pipeline = _base_.train_pipeline
train_pipeline[0].update(at_least=512)
train_pipeline[1].update(crop_size=192)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_cfg = None
val_dataloader = None
val_evaluator = None
