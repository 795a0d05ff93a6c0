"""Ablation: ranking with the current result alone, without I_(t-1)."""

_base_ = "../clip_lit_baid_div2k.py"

model = dict(losses=dict(ranking=dict(max_results=1)))
