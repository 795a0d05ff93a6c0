"""Which weight of the guidance? The paper's question, with its weights: 6 is its choice.

The bundled CLIP's guidance has another scale than OpenAI's: 15 stands for the paper's 6 * 320.
"""

_base_ = ["../rave_demo_paper_network.py", "../../_base_/grids/three_seeds.py"]

ablation = dict(
    axes=dict(
        weight={str(w): {"model.losses.guidance.loss_weight": 15 * w / 6} for w in (1, 3, 6, 12)}
    ),
)
