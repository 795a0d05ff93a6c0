"""Does RAVE's guidance help a restorer that has the ground truth? docs/mix.md has the answer."""

_base_ = "../nafnet.py"

_terms = _base_.model.pixel_loss.terms
ablation = dict(
    axes=dict(
        loss={
            "L1": {"model.pixel_loss.terms": dict(_delete_=True, pixel=_terms.pixel)},
            "L1 + guidance": {
                "model.pixel_loss.terms": dict(
                    _delete_=True, pixel=_terms.pixel, guidance=_terms.guidance
                )
            },
            "L1 + guidance + identity": {},
        }
    ),
    seeds=[0, 1, 2],
)
train_cfg = dict(max_iters=400, val_interval=200)
