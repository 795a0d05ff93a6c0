"""RAVE on BAID, paired, with the network that sees small in place of the paper's.

It starts as the identity, so there is no reconstruction. The learning rate is five times the
paper's, as it is in the demo: there is no BAID here to choose it with. See docs/small_view.md.
"""

_base_ = "rave_baid_paired.py"

model = dict(generator=dict(_delete_=True, type="SmallViewLightMapNet"))
train_cfg = dict(phases=_base_.train_cfg.phases[1:])
optim_wrapper = dict(optimizer=dict(lr=1e-4))
