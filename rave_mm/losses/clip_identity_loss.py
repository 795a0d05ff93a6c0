"""The identity loss of CLIP's feature maps, as an MMagic loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmagic.registry import MODELS
from mmengine.dist import get_world_size
from torch import Tensor

from rave_mm.functional import identity_loss
from rave_mm.losses.clip_loss import CLIPLoss
from rave_mm.losses.pictures import Results


@MODELS.register_module()
class CLIPIdentityLoss(CLIPLoss):
    """Keeps what the picture shows.

    `L_id = sum_batch sum_l w_l MSE(F_l(y), F_l(x))` (arXiv 2303.17569). `F_l` are the feature maps
    of a ModifiedResNet CLIP after the stem and after each of four stages. The loss sums over the
    batch, as the published code does, so that it grows with the batch size; in data-parallel
    training, with the batch of all processes together. Each frame of a clip is a picture of the
    batch.

    Args:
        layer_weights: `w_l`, five factors.
        compare_with_input: compare with the model's input, not with what the model hands over (in
            MMagic's models, the ground truth). MMagic does not hand the input to a pixel loss:
            :class:`rave_mm.engine.loss_inputs_hook.LossInputsHook` does.
        clip, loss_weight, channel_order, value_range: as in :class:`CLIPLoss`.

    Raises:
        ValueError: as in :class:`CLIPLoss`, or not five layer weights.
    """

    def __init__(
        self,
        layer_weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0, 0.5),
        clip: Mapping[str, Any] | None = None,
        loss_weight: float = 1.0,
        channel_order: str = "rgb",
        value_range: tuple[float, float] = (0.0, 1.0),
        compare_with_input: bool = False,
    ) -> None:
        super().__init__(clip, loss_weight, channel_order, value_range)
        if len(layer_weights) != 5:
            raise ValueError(
                f"layer_weights: got {len(layer_weights)}, expected 5: the stem and four stages"
            )
        self.layer_weights = tuple(layer_weights)
        self.compare_with_input = compare_with_input
        self.model_input: Tensor | None = None
        """The batch that the model has got, as `LossInputsHook` tells it."""

    def _load(self) -> None:
        super()._load()
        _ = self.clip.stages  # not every CLIP has them

    def forward(self, pred: Results, reference: Results) -> Tensor:
        """The weighted loss between enhanced and reference pictures. Scalar.

        Raises:
            RuntimeError: it is to compare with the input, which nobody told.
            ValueError: numbers of pictures that differ; pictures as in :meth:`CLIPLoss.batches`.
        """
        if self.compare_with_input:
            reference = self._told_input()
        values = [self._difference(*batch) for batch in self.batches(pred, reference)]
        # DDP averages the gradients of the processes, but the gradient of a sum over the joint
        # batch is their sum.
        processes = get_world_size() if self.training else 1
        return self.loss_weight * processes * torch.stack(values).mean()

    def _difference(self, rgb: Tensor, reference: Tensor | None) -> Tensor:
        if reference is None or len(reference) != len(rgb):
            raise ValueError(
                f"CLIPIdentityLoss got {len(rgb)} pictures and "
                f"{0 if reference is None else len(reference)} to compare them with; expected as "
                "many. A model that makes one frame of several cannot be compared with its input"
            )
        with torch.no_grad():
            expected = self.clip.feature_maps(reference)
        return identity_loss(self.clip.feature_maps(rgb), expected, self.layer_weights)

    def _told_input(self) -> Tensor:
        if self.model_input is None:
            raise RuntimeError(
                "CLIPIdentityLoss is to compare with the model's input, which MMagic does not hand "
                "over; add dict(type='LossInputsHook') to custom_hooks"
            )
        return self.model_input
