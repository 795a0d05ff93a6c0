"""Training in phases.

The schedule is a list in the config, and each phase names the losses it minimises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
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


def read_phases(configs: Sequence[Mapping[str, Any]]) -> list[Phase]:
    """Read a schedule from a config.

    Raises:
        ValueError: no phase; keys that are missing or unknown; iterations that are not an integer
            >= 1; losses that are not a list; two phases of a name.
    """
    expected = [field.name for field in fields(Phase)]
    for config in configs:
        if set(config) != set(expected):
            raise ValueError(
                f"phases: got one with the keys {', '.join(config)}, "
                f"expected {', '.join(expected)} in each"
            )
        if not isinstance(config["losses"], list | tuple):
            raise ValueError(f"phases: got losses={config['losses']!r}, expected a list of names")
    phases = [Phase(**{**config, "losses": tuple(config["losses"])}) for config in configs]
    if not phases or any(type(p.iterations) is not int or p.iterations < 1 for p in phases):
        raise ValueError(
            f"phases: got {list(configs)}, expected at least one, each with iterations >= 1"
        )
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise ValueError(f"phases: got the names {names}, expected each name once")
    return phases


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

    The phase follows from the iteration alone, so resuming needs no state of its own. What is
    logged of the losses is averaged within a phase, never across two.

    Args:
        runner: MMEngine's Runner.
        dataloader: config of the training data loader, or the loader.
        phases: `dict(name=..., iterations=..., losses=[...])` one after the other; their iterations
            add up to the length of training.
        val_begin: the first iteration after which to validate.
        val_interval: iterations between validations.

    Raises:
        ValueError: a schedule that :func:`read_phases` refuses, or a phase with losses that the
            model does not have.
        TypeError: a model without `activate_losses`.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader[Any] | dict[str, Any],
        phases: Sequence[Mapping[str, Any]],
        val_begin: int = 1,
        val_interval: int = 1000,
    ) -> None:
        self.phases = read_phases(phases)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(model, "activate_losses"):
            raise TypeError(
                f"PhasedTrainLoop: got a {type(model).__name__}, expected a model that has "
                "activate_losses(names), as BacklitEnhancer has"
            )
        self._activate_losses = model.activate_losses
        # Hours may pass until a phase starts, so each is tried now.
        for phase in self.phases:
            try:
                self._activate_losses(phase.losses)
            except ValueError as error:
                raise ValueError(f"phase {phase.name!r}: {error}") from error
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
            self._start(phase)
        super().run_iter(data_batch)

    def _start(self, phase: Phase) -> None:
        print_log(f"iteration {self._iter}: phase {phase.name}", "current")
        self._activate_losses(phase.losses)
        self._phase = phase
        log = self.runner.message_hub
        # A run that is resumed within a phase brings the log of that phase.
        if log.get_info("phase") != phase.name:
            # MMEngine would go on logging the last value of a loss that is no longer active.
            for name in [name for name in log.log_scalars if name.startswith("train/loss")]:
                del log.log_scalars[name]
            log.update_info("phase", phase.name)
