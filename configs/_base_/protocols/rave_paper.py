"""rave-paper: what the metric script of RAVE's repository (compute_metrics.py) does.

PSNR and SSIM are of 8-bit gray with the weights of red and blue swapped, LPIPS is of photos of
short side 1024 that are normalised with ImageNet's mean and deviation. The script shows a way to
measure, not a good one: see docs/metrics.md.
"""

test_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="PhotoPSNR", colour="swapped-gray"),
        dict(type="PhotoSSIM", colour="swapped-gray"),
        dict(type="PhotoLPIPS", backbone="alex", as_rave_script=True),
    ],
)
on_request: list = []
