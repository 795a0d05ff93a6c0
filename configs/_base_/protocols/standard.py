"""standard: whole photos in RGB, the network's result as it comes, in the range each metric wants.

`tools/test.py --protocol standard`, the default. `on_request` is what `--metrics` may name beside.
"""

test_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="PhotoPSNR", colour="RGB"),
        dict(type="PhotoSSIM", colour="RGB"),
        dict(type="PhotoLPIPS", backbone="alex"),
    ],
)
on_request = [
    dict(type="PhotoLPIPS", backbone="vgg"),
    dict(type="PhotoLPIPS", backbone="squeeze"),
    dict(type="PhotoFID"),
    dict(type="PhotoNIQE"),
    dict(type="PhotoMUSIQ"),
]
