"""The parts of a model that phases train: gradients, optimizers, best weights, new weights."""

from typing import Any

import torch
from mmengine.dist import broadcast
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from rave_mm.datasets.replayable import seed_everything
from rave_mm.engine.phase import Phase


class TrainedModules:
    """The child modules of a model that phases train, each with its optimizer.

    Args:
        model: the model, not wrapped for several processes.
        wrapper: its optimizer, or an `OptimWrapperDict` with one for each module.
    """

    def __init__(self, model: nn.Module, wrapper: OptimWrapper) -> None:
        self._model = model
        self._wrapper = wrapper
        self._trainable: set[nn.Parameter] = set()
        self.best: dict[str, Tensor] | None = None
        """The best weights so far of the phase's module, on its device."""

    def check(self, phase: Phase) -> None:
        """Tell whether the phase can run.

        Raises:
            ValueError: it trains what the model does not have, what has no optimizer, or starts
                anew what cannot.
        """
        children = dict(self._model.named_children())
        if phase.trains not in children:
            raise ValueError(
                f"got trains={phase.trains!r}, expected one of the model's {', '.join(children)}"
            )
        if isinstance(self._wrapper, OptimWrapperDict) and phase.trains not in self._wrapper:
            raise ValueError(
                f"got trains={phase.trains!r}, expected one that optim_wrapper has an optimizer "
                f"for: {', '.join(self._wrapper.keys())}"
            )
        module = children[phase.trains]
        if phase.restart and not hasattr(module, "reset_parameters"):
            raise ValueError(
                f"got a restart of a {type(module).__name__}, expected a module that draws new "
                "weights when its reset_parameters() is called, as LightMapUNet"
            )
        if phase.restart and getattr(module, "init_cfg", None):
            raise ValueError(
                f"got a restart of a {type(module).__name__} that starts from init_cfg="
                f"{module.init_cfg}, expected one that starts from random weights"
            )

    def note_trainable(self) -> None:
        """Take what wants gradients now for all that can be trained."""
        self._trainable = {p for p in self._model.parameters() if p.requires_grad}

    def trained(self, phase: Phase) -> set[nn.Parameter]:
        """The parameters that the phase trains.

        Raises:
            ValueError: there are none.
        """
        found = set(self.module(phase).parameters()) & self._trainable
        if not found:
            raise ValueError(f"phase {phase.name!r}: {phase.trains} has nothing to train")
        return found

    def leaves_out(self, phase: Phase) -> bool:
        """Whether some of what can be trained is not trained in the phase."""
        return self.trained(phase) != self._trainable

    def module(self, phase: Phase) -> Any:
        """The module that the phase trains."""
        return getattr(self._model, phase.trains)

    def optimizer(self, phase: Phase) -> OptimWrapper:
        """The optimizer that makes the phase's steps."""
        several = isinstance(self._wrapper, OptimWrapperDict)
        return self._wrapper[phase.trains] if several else self._wrapper

    def refuse_bad_gradients(self) -> None:
        """Let each optimizer look at its gradients before it makes a step.

        A loss may be finite where its gradient is not, and the step would ruin the weights. It
        raises a FloatingPointError instead.
        """
        names = {parameter: name for name, parameter in self._model.named_parameters()}

        def look(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            found = [p for p in parameters if p.grad is not None]
            if not found:
                return
            # One wait for the GPU, not one for each parameter.
            norms = torch.stack(torch._foreach_norm([p.grad for p in found], float("inf")))
            if not norms.isfinite().all():
                worst = next(p for p, norm in zip(found, norms, strict=True) if not norm.isfinite())
                raise FloatingPointError(
                    f"the gradient of {names.get(worst, 'a parameter')} is not finite; the step "
                    "was not taken. Lower the learning rate or look at the photos."
                )

        wrappers = (
            self._wrapper.values()
            if isinstance(self._wrapper, OptimWrapperDict)
            else [self._wrapper]
        )
        for wrapper in wrappers:
            wrapper.optimizer.register_step_pre_hook(look)

    def train_only(self, phase: Phase, iteration: int, length: int) -> None:
        """Give gradients to what the phase trains and to nothing else.

        Args:
            phase: the phase.
            iteration: how many iterations of it are done.
            length: how many it has.
        """
        trained = self.trained(phase)
        for parameter in self._trainable:
            parameter.requires_grad_(parameter in trained)
        self._wrapper.zero_grad()
        # MMEngine's count of accumulated gradients; -1 where the end is not known.
        end = -1 if phase.prolong else length
        self.optimizer(phase).initialize_count_status(self._model, iteration, end)

    def keep_best(self, phase: Phase) -> None:
        """Keep a copy of the weights as they are now, in place of an earlier one."""
        state = self.module(phase).state_dict()
        self.best = {name: value.clone() for name, value in state.items()}

    def put_back_best(self, phase: Phase) -> None:
        """Put the copy back, where there is one."""
        if self.best is not None:
            for name, value in self.module(phase).state_dict().items():
                value.copy_(self.best[name])

    def start_anew(self, phase: Phase, seed: int) -> None:
        """Draw new weights, and forget what the optimizer knows of the old ones.

        It leaves the global random numbers where drawing the weights from the seed does.
        """
        module = self.module(phase)
        seed_everything(seed)
        module.reset_parameters()
        with torch.no_grad():
            for value in module.state_dict().values():
                broadcast(value)
        for parameter in module.parameters():
            self.optimizer(phase).optimizer.state.pop(parameter, None)
