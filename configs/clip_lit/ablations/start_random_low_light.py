"""Ablation: prompts that start as random tokens before "low light" and "normal light"."""

_base_ = "start_random.py"

model = dict(pair=dict(words=("low light", "normal light")))
