"""A test on Backlit300, photos without ground truth; RAVE trains as in its base."""

_base_ = "rave_baid_paired.py"

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="UnpairedPhotos",
        backlit="data/Backlit300",
        pipeline=[dict(type="LoadPhoto", key="img"), dict(type="PackInputs")],
        test_mode=True,
    )
)
test_metrics = ["NIQE", "MUSIQ"]
