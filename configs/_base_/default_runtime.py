"""What every config shares: where components come from, checkpoints, logs and pictures."""

custom_imports = dict(imports=["rave_mm.register"], allow_failed_imports=False)
default_scope = "mmagic"

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="CheckpointHook",
        interval=1000,
        by_epoch=False,
        max_keep_ckpts=3,
        save_best="PSNR",
        rule="greater",
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
# Before, after and ground truth, side by side: of every 46th photo (8 of BAID's 368) in each
# validation, of every photo in a test.
custom_hooks = [dict(type="BasicVisualizationHook", interval=dict(val=46, test=1))]
vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(
    type="ConcatImageVisualizer",
    vis_backends=vis_backends,
    fn_key="img_path",
    img_keys=["input", "pred_img", "gt_img"],
    bgr2rgb=True,  # MMagic hands pictures back in BGR
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=1),
    dist_cfg=dict(backend="nccl"),
)
randomness = dict(seed=0)
log_level = "INFO"
log_processor = dict(type="PhasedLogProcessor", window_size=50, by_epoch=False)
load_from = None
resume = False
