"""Does the vector matter? The computed one against a random one, and one of shuffled labels.

Each seed draws another. The sign is the one that leads towards the well-lit photos: the direction
alone is random.
"""

_base_ = "three_seeds.py"

_residual = "model.losses.guidance.residual"
ablation = dict(
    axes=dict(
        vector=dict(
            computed={},
            random={f"{_residual}.estimator": "random"},
            shuffled={f"{_residual}.estimator": "shuffled"},
        )
    ),
)
