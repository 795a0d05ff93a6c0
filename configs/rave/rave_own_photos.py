"""RAVE on two folders of your own, no pairs: `rave-mm train --backlit DIR --well-lit DIR`.

The folders' names are set from there, and so is which CLIP: OpenAI's, as here, where its weights
are to be had. Without pairs nothing is validated.
"""

_base_ = "rave_baid_div2k_unpaired_small_view.py"

# Whoever has two folders has tens of photos, not BAID's 380.
train_cfg = dict(phases=[dict(name="guided", iterations=2000, losses=["guidance", "identity"])])
val_cfg = None
val_dataloader = None
val_evaluator = None
