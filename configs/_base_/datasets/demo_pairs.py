"""The demo set in pairs, for models of MMagic that learn from the ground truth."""

_base_ = "demo.py"

train_dataloader = dict(
    _delete_=True,
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(
        type="BacklitPairs",
        backlit=_base_.train_backlit,
        well_lit=_base_.train_well_lit,
    ),
)
