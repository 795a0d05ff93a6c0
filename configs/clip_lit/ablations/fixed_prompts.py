"""Ablation: "backlit" and "well-lit" guide as they are; nothing of the pair is learned."""

_base_ = "without_ranking.py"

model = dict(pair=dict(start="words", words=("backlit", "well-lit")))
train_cfg = dict(phases=_base_.train_cfg.phases[1:])
