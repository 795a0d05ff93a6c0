"""Which estimator of the residual vector? The mean is the paper's."""

_base_ = "three_seeds.py"

_residual = "model.losses.guidance.residual"
_others = (
    "median",
    "geometric_median",
    "trimmed_mean",
    "weighted_mean",
    "kmeans",
    "lda",
    "logistic",
)
ablation = dict(
    axes=dict(
        estimator=dict(mean={}, **{name: {f"{_residual}.estimator": name} for name in _others})
    ),
)
