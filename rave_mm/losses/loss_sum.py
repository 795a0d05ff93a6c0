"""Several losses where MMagic takes one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from mmagic.registry import MODELS
from mmengine.logging import MessageHub
from mmengine.model import BaseModule
from torch import Tensor
from torch.linalg import vector_norm

from rave_mm.losses.loss_terms import LossTerms
from rave_mm.losses.pictures import Results, by_scale


@MODELS.register_module()
class LossSum(BaseModule):
    """The sum of named losses, each called `(pred, target)`: the `pixel_loss` of any MMagic model.

    A term is any loss of MMagic or of this package; its weight is its own `loss_weight`. In
    training, each term is logged as `loss_NAME`, in the log line and in TensorBoard, beside what
    the model itself logs. Of a list of results, at several scales, a term is the mean over them; a
    target alone is averaged over areas to the size of each.

    Every so often, `gradient_NAME` is logged too: the norm of the term's gradient with respect to
    the prediction, and `gradient_share_NAME`, its part of the norms of all terms. A term pulls at
    the network as its share says, whatever its value. It costs another backward pass through the
    losses, not through the network.

    Args:
        terms: config of each loss by its name; one that is None is left out, so that a config, or
            a command line, can take a term away from its base.
        gradients_every: training calls from one look at the gradients to the next, the first
            included; 0 for none.

    Raises:
        ValueError: no term, or a negative interval; another writes a name of the log.
        FloatingPointError: a term is not finite. The step is not taken.
    """

    def __init__(
        self, terms: Mapping[str, dict[str, Any] | None], gradients_every: int = 0
    ) -> None:
        super().__init__()
        kept = {name: config for name, config in terms.items() if config is not None}
        if not kept or gradients_every < 0:
            raise ValueError(
                f"got terms={list(kept)} and gradients_every={gradients_every}; expected one term "
                "or more, as dict(guidance=dict(type='ResidualGuidanceLoss', ...)), and 0 or more"
            )
        self.terms = LossTerms(kept)
        self.gradients_every = gradients_every
        self._calls = 0
        self._logged: dict[str, int] = {}

    def forward(self, pred: Results, target: Results | None = None) -> Tensor:
        """The sum of the terms. Scalar.

        Args:
            pred: what the model returns: (N, C, H, W), (N, T, C, H, W), or a list of such.
            target: what it hands over with it.
        """
        scales = by_scale(pred, target)
        values = {
            name: torch.stack([_scalar(name, loss(*scale)) for scale in scales]).mean()
            for name, loss in self.terms.items()
        }
        if self.training:
            self._log({f"loss_{name}": value for name, value in values.items()})
            results = [result for result, _ in scales]
            if self.gradients_every and all(result.requires_grad for result in results):
                if self._calls % self.gradients_every == 0:
                    self._log(_gradients(values, results))
                self._calls += 1
        return _sum(values.values())

    def _log(self, values: Mapping[str, Tensor]) -> None:
        """Write to what MMEngine's log line and its visualizer read."""
        # One wait for the GPU, not one for each term.
        numbers = torch.stack([value.detach().float() for value in values.values()]).tolist()
        hub = MessageHub.get_current_instance()
        if not all(map(math.isfinite, numbers)):
            told = ", ".join(f"{name} {x:.4g}" for name, x in zip(values, numbers, strict=True))
            raise FloatingPointError(
                f"the loss is not finite ({told}) at iteration {hub.get_info('iter', None)}; the "
                "step was not taken. Lower the learning rate, clip the gradient, or look at the "
                "batch."
            )
        for name, number in zip(values, numbers, strict=True):
            key = f"train/{name}"
            if self._logged.get(key, _count(hub, key)) != _count(hub, key):
                raise ValueError(
                    f"{name}: the model, or another sum, writes this name into the log, too; give "
                    "the term another name"
                )
            hub.update_scalar(key, number)
            self._logged[key] = _count(hub, key)


def _count(hub: MessageHub, key: str) -> int:
    return len(hub.get_scalar(key).data[0]) if key in hub.log_scalars else 0


def _scalar(name: str, value: Tensor | Sequence[Tensor | None]) -> Tensor:
    """What a loss returned as one number; MMagic's perceptual loss returns two or one."""
    parts = [value] if isinstance(value, Tensor) else [part for part in value if part is not None]
    if not parts:
        raise ValueError(f"{name}: the loss returned nothing; give one of its parts a weight")
    return _sum(part.mean() for part in parts)


def _sum(scalars: Iterable[Tensor]) -> Tensor:
    """In float32, whatever autocast made of some of them."""
    return torch.stack([scalar.float() for scalar in scalars]).sum()


def _gradients(values: Mapping[str, Tensor], results: Sequence[Tensor]) -> dict[str, Tensor]:
    """The norm of each term's gradient with respect to all results, and its share."""
    norms = {name: _gradient_norm(value, results) for name, value in values.items()}
    total = _sum(norms.values()).clamp(min=torch.finfo(torch.float32).tiny)
    return {f"gradient_{name}": norm for name, norm in norms.items()} | {
        f"gradient_share_{name}": norm / total for name, norm in norms.items()
    }


def _gradient_norm(value: Tensor, results: Sequence[Tensor]) -> Tensor:
    if not value.requires_grad:
        return value.new_zeros(())
    found = torch.autograd.grad(value, results, retain_graph=True, allow_unused=True)
    norms = [vector_norm(gradient.float()) for gradient in found if gradient is not None]
    return vector_norm(torch.stack(norms)) if norms else value.new_zeros(())
