"""Is the reconstruction phase needed? Against a network that starts as the identity.

Both are guided for as long; the reconstruction's 200 iterations come on top.
"""

_base_ = ["../rave_demo_paper_network.py", "../../_base_/grids/three_seeds.py"]

_guided = _base_.train_cfg.phases[0]
_rise, _fall = _base_.param_scheduler
ablation = dict(
    axes=dict(
        start=dict(
            identity={},
            reconstruction={
                "model.generator.start": "normal",
                "model.losses.reconstruction": dict(
                    type="CLIPIdentityLoss", layer_weights=(1.0, 1.0, 1.0, 1.0, 1.0)
                ),
                "train_cfg.phases": [
                    dict(name="reconstruction", iterations=200, losses=["reconstruction"]),
                    _guided,
                ],
                "param_scheduler.0.begin": 200,
                "param_scheduler.0.end": 200 + _rise.end,
                "param_scheduler.1.begin": 200 + _fall.begin,
                "param_scheduler.1.end": 200 + _fall.end,
            },
        )
    ),
)
