"""RAVE on LOL-v1, low-light instead of backlit photos."""

_base_ = "rave_baid_paired.py"

train_low = "data/LOL-v1/our485/low"
train_normal = "data/LOL-v1/our485/high"
test_low = "data/LOL-v1/eval15/low"
test_normal = "data/LOL-v1/eval15/high"

model = dict(losses=dict(guidance=dict(residual=dict(well_lit=train_normal, backlit=train_low))))
train_dataloader = dict(dataset=dict(backlit=train_low))
val_dataloader = dict(dataset=dict(backlit=test_low, well_lit=test_normal))
test_dataloader = val_dataloader
# Three of the fifteen test photos in each validation.
custom_hooks = [dict(type="BasicVisualizationHook", interval=dict(val=5, test=1))]
