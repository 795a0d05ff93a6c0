"""Registers every component of this package: the one import that a config names.

    custom_imports = dict(imports=["rave_mm.register"])

It applies the cures of `rave_mm.runtime.compat` first, since MMagic does not import without them.
"""

import gc

from rave_mm.runtime import compat

compat.apply()

# E402: these import MMagic, which the cures must precede.
from mmagic.registry import MODELS  # noqa: E402

import rave_mm.registry  # noqa: E402, F401 - a config may then name one of ours as its base
from rave_mm.datasets import (  # noqa: E402
    backlit_pairs,
    pan_over_photo,
    replayable,
    transforms,
    unpaired_photos,
)
from rave_mm.engine import (  # noqa: E402
    log_processor,
    loss_inputs_hook,
    mixed_precision,
    phased_train_loop,
)
from rave_mm.enhancers import (  # noqa: E402
    adversarial_enhancer,
    backlit_enhancer,
    prompt_enhancer,
)
from rave_mm.evaluation import fidelity, no_reference, perceptual  # noqa: E402
from rave_mm.losses import (  # noqa: E402
    clip_identity_loss,
    loss_sum,
    prompt_losses,
    prompt_pairs,
    residual_guidance_loss,
)
from rave_mm.networks.light_map_unet import LightMapUNet  # noqa: E402
from rave_mm.networks.small_view_net import SmallViewLightMapNet  # noqa: E402

# Not where they are defined: enhancing with them needs neither MMagic nor MMEngine.
for _network in (LightMapUNet, SmallViewLightMapNet):
    MODELS.register_module(module=_network)

# MMEngine collects garbage for each data set; looking through all of MMagic each time takes 0.3 s.
gc.freeze()

__all__ = [
    "LightMapUNet",
    "SmallViewLightMapNet",
    "adversarial_enhancer",
    "backlit_enhancer",
    "backlit_pairs",
    "clip_identity_loss",
    "fidelity",
    "log_processor",
    "loss_inputs_hook",
    "loss_sum",
    "mixed_precision",
    "no_reference",
    "pan_over_photo",
    "perceptual",
    "phased_train_loop",
    "prompt_enhancer",
    "prompt_losses",
    "prompt_pairs",
    "replayable",
    "residual_guidance_loss",
    "transforms",
    "unpaired_photos",
]
