"""What the examples of docs/mix.md share: MMagic's own loop, on the demo set in pairs."""

_base_ = ["demo_runtime.py", "datasets/demo_pairs.py"]

# Where a ResidualGuidanceLoss gets its direction from.
residual = dict(well_lit=_base_.train_well_lit, backlit=_base_.train_backlit)

train_cfg = dict(type="IterBasedTrainLoop", max_iters=200, val_interval=100)
val_cfg = dict(type="MultiValLoop")
test_cfg = dict(type="MultiTestLoop")
# MMagic's models do not hand the input to a metric, as BacklitEnhancer does.
val_evaluator = dict(
    _delete_=True, type="Evaluator", metrics=[dict(type="PSNR"), dict(type="SSIM")]
)
test_evaluator = val_evaluator
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3), clip_grad=dict(max_norm=1.0)
)
custom_hooks = [*_base_.custom_hooks, dict(type="LossInputsHook")]
log_processor = dict(_delete_=True, type="LogProcessor", window_size=20, by_epoch=False)
