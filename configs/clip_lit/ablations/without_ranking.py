"""Ablation: the pair is as its initialisation left it; no turns."""

_base_ = "../clip_lit_baid_div2k.py"

_phases = _base_.train_cfg.phases
train_cfg = dict(phases=[*_phases[:2], dict(rounds=13, phases=_phases[2].phases[:1])])
