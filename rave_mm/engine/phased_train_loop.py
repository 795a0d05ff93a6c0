"""Training in phases.

The schedule is a list in the config, and each phase names the losses it minimises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmagic.registry import LOOPS
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader


@dataclass(frozen=True)
class Phase:
    """A stretch of training."""

    name: str
    iterations: int
    losses: tuple[str, ...]
    """The names of the model's loss terms that are active."""


def phase_at(phases: Sequence[Phase], iteration: int) -> Phase:
    """The phase that an iteration, counted from 0, belongs to.

    The last one for what lies beyond.
    """
    end = 0
    for phase in phases:
        end += phase.iterations
        if iteration < end:
            return phase
    return phases[-1]


def timeline(phases: Sequence[Phase]) -> str:
    """A line for each phase: from which to which iteration, its name and its losses."""
    lines, start = [], 0
    for phase in phases:
        end = start + phase.iterations
        lines.append(f"  {start:>7} - {end:>7}  {phase.name}: {' + '.join(phase.losses)}")
        start = end
    return "\n".join(lines)


@LOOPS.register_module()
class PhasedTrainLoop(IterBasedTrainLoop):
    """MMEngine's iteration-based loop, for a model that has `activate_losses(names)`.

    The phase follows from the iteration alone, so resuming needs no state of its own.

    Args:
        runner: MMEngine's Runner.
        dataloader: config of the training data loader, or the loader.
        phases: `dict(name=..., iterations=..., losses=[...])` one after the other; their iterations
            add up to the length of training.
        val_begin: the first iteration after which to validate.
        val_interval: iterations between validations.

    Raises:
        ValueError: no phase, or one without iterations.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader[Any] | dict[str, Any],
        phases: Sequence[dict[str, Any]],
        val_begin: int = 1,
        val_interval: int = 1000,
    ) -> None:
        self.phases = [Phase(p["name"], int(p["iterations"]), tuple(p["losses"])) for p in phases]
        if not self.phases or any(phase.iterations < 1 for phase in self.phases):
            raise ValueError(
                f"phases: got {list(phases)}, expected at least one, each with iterations >= 1"
            )
        total = sum(phase.iterations for phase in self.phases)
        super().__init__(runner, dataloader, total, val_begin, val_interval)
        self._phase: Phase | None = None

    def run(self) -> Any:
        """Print the timeline and train."""
        print_log(f"schedule of {self.max_iters} iterations:\n{timeline(self.phases)}", "current")
        return super().run()

    def run_iter(self, data_batch: Sequence[dict[str, Any]]) -> None:
        """Train on one batch, in the phase of its iteration."""
        phase = phase_at(self.phases, self._iter)
        if phase is not self._phase:
            model = self.runner.model
            (model.module if is_model_wrapper(model) else model).activate_losses(phase.losses)
            print_log(f"iteration {self._iter}: phase {phase.name}", "current")
            self.runner.message_hub.update_info("phase", phase.name)
            self._phase = phase
        super().run_iter(data_batch)
