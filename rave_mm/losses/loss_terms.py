"""Losses by name, and what is done with all of them."""

import math
from collections.abc import Mapping
from typing import Any

from mmagic.registry import MODELS
from mmengine.model import ModuleDict

from rave_mm.clip.weights import MissingWeightsError
from rave_mm.losses.clip_loss import CLIPLoss
from rave_mm.runtime.first_process import first_process_first
from rave_mm.runtime.setting_error import SettingError


class LossTerms(ModuleDict):
    """The terms of a sum by their names.

    Args:
        configs: config of each term by its name.

    Raises:
        SettingError: the weight of a term is no number, or below 0; names it.
    """

    def __init__(self, configs: Mapping[str, dict[str, Any]]) -> None:
        super().__init__({name: MODELS.build(config) for name, config in configs.items()})
        for name, loss in self.items():
            weight = getattr(loss, "loss_weight", 0)
            if not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise SettingError(
                    f"losses.{name}.loss_weight: got {weight!r}, expected a number, 0 or more"
                )

    def init_weights(self) -> None:
        """Load what the terms need.

        Raises:
            MissingWeightsError: of every CLIP that is missing, so that they can be fetched at once.
        """
        missing: list[str] = []
        with first_process_first():
            for loss in self.modules():
                if not isinstance(loss, CLIPLoss):
                    continue
                try:
                    _ = loss.clip
                except MissingWeightsError as error:
                    missing.append(str(error))
        if missing:
            raise MissingWeightsError("\n\n".join(dict.fromkeys(missing)))
        super().init_weights()
