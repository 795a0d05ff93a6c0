"""Which weight of the guidance? The paper's question, with its weights: 6 is its choice."""

_base_ = ["../rave_baid_paired.py", "../../_base_/grids/three_seeds.py"]

ablation = dict(
    axes=dict(
        weight={str(w): {"model.losses.guidance.loss_weight": 320.0 * w} for w in (1, 3, 6, 12)}
    ),
)
