"""Checkpoints that training can go on from: of usable weights."""

from difflib import get_close_matches
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from rave_mm.engine.sound_files import remove_superseded
from rave_mm.runtime.setting_error import SettingError

LARGEST = 1e6
"""No weight of a network that still works comes near it; one step of a far too high rate does."""


class SoundCheckpointsHook(Hook):
    """Sees to it that checkpoints can be used, before they are written.

    A loss can be finite after the step that ruined the weights: only the next one is not.

    Raises:
        SettingError: When training starts: `save_best` names a figure that validation does not
            give.
        FloatingPointError: Before a checkpoint is written: a weight is not finite, or a parameter
            beyond :data:`LARGEST`.
    """

    priority = "LOWEST"  # other hooks put into the checkpoint what they have

    def before_train(self, runner: Runner) -> None:
        """Refuse a `save_best` that would only fail after the first validation."""
        if runner.val_loop is None:
            return
        loop = runner.val_loop  # MMagic's has several evaluators, MMEngine's one
        evaluators = getattr(loop, "evaluators", None) or [loop.evaluator]
        metrics = [metric for evaluator in evaluators for metric in evaluator.metrics]
        if not all(hasattr(metric, "metric") for metric in metrics):
            return  # one that does not say what its figures are called
        given = [f"{m.prefix}/{m.metric}" if m.prefix else str(m.metric) for m in metrics]
        for hook in runner.hooks:
            for name in getattr(hook, "key_indicators", None) or ():
                if name not in ("auto", *given):
                    close = get_close_matches(name, given, n=1)
                    hint = f"; did you mean {close[0]}?" if close else ""
                    raise SettingError(
                        f"default_hooks.checkpoint.save_best: got {name!r}, but validation gives "
                        f"{', '.join(given)}{hint}"
                    )

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        """Remove the checkpoints in whose place others have been written."""
        remove_superseded()

    def after_train(self, runner: Runner) -> None:
        """As before an iteration."""
        remove_superseded()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Refuse what training could not go on from."""
        model = getattr(runner.model, "module", runner.model)
        trained = {name for name, _ in model.named_parameters()}
        for name, value in checkpoint["state_dict"].items():
            if not isinstance(value, torch.Tensor) or not value.is_floating_point():
                continue
            if not value.isfinite().all():
                found = "is not finite"
            elif name in trained and value.numel() and (top := value.abs().max().item()) > LARGEST:
                found = f"has reached {top:.1g}"
            else:
                continue
            raise FloatingPointError(
                f"{name} {found} by iteration {runner.iter}: no checkpoint was written. Lower the "
                "learning rate, or limit the gradients (optim_wrapper.clip_grad)."
            )
