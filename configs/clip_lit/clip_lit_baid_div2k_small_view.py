"""CLIP-LIT on BAID and DIV2K, with the network that sees small.

It starts as the identity, so there is no reconstruction. The learning rate is five times the
paper's, as it is in the demo: there is no BAID here to choose it with. See docs/small_view.md.
"""

_base_ = "clip_lit_baid_div2k.py"

model = dict(generator=dict(_delete_=True, type="SmallViewLightMapNet"))
_initialisation, _, _rounds = _base_.train_cfg.phases
train_cfg = dict(phases=[_initialisation, _rounds])
optim_wrapper = dict(generator=dict(optimizer=dict(lr=1e-4)))
