"""Ablation: prompts that start as random tokens."""

_base_ = "../clip_lit_baid_div2k.py"

model = dict(pair=dict(start="random"))
