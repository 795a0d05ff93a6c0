"""Ablation: prompts that start as random tokens before "backlit" and "well-lit"."""

_base_ = "start_random.py"

model = dict(pair=dict(words=("backlit", "well-lit")))
