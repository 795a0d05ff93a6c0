"""What losses must know of a model that hands them its result and the ground truth alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.hooks import RemovableHandle

from rave_mm.losses.clip_identity_loss import CLIPIdentityLoss
from rave_mm.losses.clip_loss import CLIPLoss

if TYPE_CHECKING:  # MMagic imports only after its cures, and tools import this before them
    from mmagic.structures import DataSample


@HOOKS.register_module()
class LossInputsHook(Hook):
    """Tells a model's losses its input, and checks their `channel_order`.

    It listens to the model's `data_preprocessor`, through which every model of MMagic has its
    batches, so it knows the input as the network gets it, and in which order its channels are. The
    input is told to every `CLIPIdentityLoss(compare_with_input=True)`, wherever in the model.

    Raises:
        ValueError: the preprocessor hands over another channel order than a loss states.
    """

    def __init__(self) -> None:
        self._handle: RemovableHandle | None = None
        self._losses: list[CLIPLoss] = []
        self._order_is_checked = False

    def before_train(self, runner: Runner) -> None:
        """Listen from now on."""
        model: Any = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._losses = [module for module in model.modules() if isinstance(module, CLIPLoss)]
        self._handle = model.data_preprocessor.register_forward_hook(self._tell)

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
        if self._handle is not None:
            self._handle.remove()

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        """Let the batch go, so that no loss takes it for the next one."""
        for loss in self._losses:
            if isinstance(loss, CLIPIdentityLoss):
                loss.model_input = None

    def _tell(self, preprocessor: nn.Module, _: Any, batch: Mapping[str, Any]) -> None:
        if not preprocessor.training:
            return
        if not self._order_is_checked:
            self._check_order(batch.get("data_samples"))
            self._order_is_checked = True
        inputs = batch["inputs"]
        for loss in self._losses:
            if isinstance(loss, CLIPIdentityLoss) and loss.compare_with_input:
                loss.model_input = inputs["img"] if isinstance(inputs, dict) else inputs

    def _check_order(self, samples: "DataSample | None") -> None:
        """MMagic notes the order in the batch's data sample: that of each of its photos."""
        noted = {} if samples is None else samples.metainfo
        orders = noted.get("gt_img_output_channel_order", noted.get("img_output_channel_order"))
        order = str(orders[0] if isinstance(orders, (list, tuple)) else orders).lower()
        for loss in self._losses:
            if order in ("rgb", "bgr") and order != loss.channel_order:
                raise ValueError(
                    f"{type(loss).__name__}: got channel_order={loss.channel_order!r}, but the "
                    f"model's data_preprocessor hands over {order}; state channel_order={order!r}, "
                    "or load the photos in the other order (LoadImageFromFile's channel_order, or "
                    "the preprocessor's output_channel_order)"
                )
