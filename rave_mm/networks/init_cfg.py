"""Networks that start from the weights that a config names."""

from copy import deepcopy
from typing import Any

from torch import nn

InitCfg = dict[str, Any] | list[dict[str, Any]]


class InitCfgModule(nn.Module):
    """A module whose weights MMEngine's Runner initializes as its ``init_cfg`` says.

    As MMEngine's ``BaseModule``. But importing that takes almost as long as importing PyTorch
    (its optimizers bring FSDP and SymPy), and enhancing photos does not need it.

    Args:
        init_cfg: MMEngine's, for example ``dict(type="Pretrained", checkpoint=...)``, or several,
            applied one after another, a checkpoint last; None keeps the weights that the module
            was built with.
    """

    def __init__(self, init_cfg: InitCfg | None = None) -> None:
        super().__init__()
        self.init_cfg = deepcopy(init_cfg)

    def init_weights(self) -> None:
        """Initialize the weights; MMEngine's Runner calls this before the first iteration."""
        if self.init_cfg:
            from mmengine.model import PretrainedInit, initialize

            several = [self.init_cfg] if isinstance(self.init_cfg, dict) else self.init_cfg
            checkpoint = ("Pretrained", PretrainedInit)
            initialize(self, sorted(several, key=lambda one: one["type"] in checkpoint))
