"""clip-lit-paper: the metrics of CLIP-LIT's tables, as far as it is known how they were computed.

Its test script writes 8-bit files; no metric script is published. Colour space, SSIM's window,
LPIPS's backbone and MUSIQ's version are taken to be the usual ones: see docs/metrics.md.
"""

test_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="PhotoPSNR", colour="RGB", eight_bit=True),
        dict(type="PhotoSSIM", colour="RGB", eight_bit=True),
        dict(type="PhotoLPIPS", backbone="alex", eight_bit=True),
        dict(type="PhotoMUSIQ", eight_bit=True),
    ],
)
on_request: list = []
