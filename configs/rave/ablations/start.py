"""Is the reconstruction phase needed? Against a network that starts as the identity.

Both are guided for as long; the paper's reconstruction phase comes on top.
"""

_base_ = ["../rave_baid_paired.py", "../../_base_/grids/three_seeds.py"]

_guided = _base_.train_cfg.phases[1]
ablation = dict(
    axes=dict(
        start=dict(
            reconstruction={},
            identity={"model.generator.start": "identity", "train_cfg.phases": [_guided]},
        )
    ),
)
