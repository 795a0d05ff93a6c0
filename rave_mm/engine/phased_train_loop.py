"""Training in phases.

The schedule is a list in the config: what each phase trains, with which losses, on whose data.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmagic.registry import LOOPS
from mmengine.dist import all_reduce, broadcast, get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor, nn

from rave_mm.datasets.replayable import derive_seed, seed_everything
from rave_mm.engine.exact_resume import ExactResumeHook, ReplayableLoaders
from rave_mm.engine.position import Position
from rave_mm.engine.schedule import read_schedule
from rave_mm.engine.trained_modules import TrainedModules


@LOOPS.register_module()
class PhasedTrainLoop(BaseLoop):
    """Trains in phases, for a model that has `activate_losses(names)`.

    In a phase, only the child module of the model that it `trains` gets gradients. Of several
    optimizers (`OptimWrapperDict`), the one of that name makes the steps. What is logged is
    averaged within a phase, never across two.

    A model may have three more methods. `check_phase(phase)` is called for each phase before
    training, and raises a ValueError where it cannot run. `start_phase(phase)` is called in place
    of `activate_losses` when a phase begins, when it starts anew, and when a resumed run goes on
    within it: so it sets what is active, and leaves what a checkpoint carries as it is then.
    `finish_phase(phase)` is called once at the end of a phase, when its best weights are back and
    before its last checkpoint.

    A resumed run goes on as if it had never stopped. The checkpoint has the place in the schedule,
    the best weights so far and how many samples of each loader were seen; what is random in an
    iteration follows from the seed and its number.

    Args:
        runner: MMEngine's Runner.
        dataloader: config of the loader that phases call 'train', with a `ReplayableSampler`.
        phases: see :func:`rave_mm.engine.schedule.read_schedule`.
        loaders: config of each further loader by its name.
        val_begin: the first iteration after which to validate.
        val_interval: iterations between validations.
        skip_limit: how many batches on end may be left out because a loss or a gradient is not
            finite; with 0, the first one ends training. In one process only: several would have to
            agree.

    Raises:
        ValueError: a schedule that :func:`rave_mm.engine.schedule.read_schedule` refuses; a phase
            with losses, a module, a loader or an optimizer that are not there; a loader that cannot
            be replayed.
        TypeError: a model without `activate_losses`.
        FloatingPointError: a loss or a gradient is not finite; the step was not taken.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: Mapping[str, Any],
        phases: Sequence[Mapping[str, Any]],
        loaders: Mapping[str, Mapping[str, Any]] | None = None,
        val_begin: int = 1,
        val_interval: int = 1000,
        skip_limit: int = 0,
    ) -> None:
        for name, value in (("val_begin", val_begin), ("val_interval", val_interval)):
            if value < 1:
                raise ValueError(f"{name}: got {value}, expected 1 or more")
        if skip_limit < 0 or (skip_limit and get_world_size() > 1):
            raise ValueError(
                f"skip_limit: got {skip_limit} with {get_world_size()} processes, expected 0 or "
                "more, and 0 with several"
            )
        self.schedule = read_schedule(phases)
        self.position = Position(self.schedule)
        self.model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # The Runner would do this next; only then can the phases' optimizers be checked.
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        self.modules = TrainedModules(self.model, runner.optim_wrapper)
        if "train" in (loaders or {}):
            raise ValueError("loaders: got one called 'train', which is train_dataloader's name")
        configs = {"train": dataloader, **(loaders or {})}
        self._check_phases(configs)
        # The first process's, where each has one of its own (diff_rank_seed).
        self.seed = _of_first_process(runner.seed)
        self._own_seed = get_rank() if runner.seed != self.seed else 0
        used = {"train", *(phase.loader for phase in self.schedule.phases)}
        configs = {name: config for name, config in configs.items() if name in used}
        self.loaders = ReplayableLoaders(configs, self.seed)
        super().__init__(runner, self.loaders.loaders["train"])
        runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, "metainfo", None)
        self.val_begin, self.val_interval = val_begin, val_interval
        self.skip_limit, self._skipped = skip_limit, 0
        self.stop_training = False  # MMEngine's EarlyStoppingHook sets it
        self._epoch = self._iter = 0  # MMEngine sets both where a run is resumed
        self._max_iters = self.position.remaining
        self._entered: tuple[int, int] | None = None
        self._checkpoints = ExactResumeHook(self)
        runner.register_hook(self._checkpoints)

    def _check_phases(self, loaders: Mapping[str, Any]) -> None:
        """Hours may pass until a phase starts, so each is tried now."""
        if not hasattr(self.model, "activate_losses"):
            raise TypeError(
                f"PhasedTrainLoop: got a {type(self.model).__name__}, expected a model that has "
                "activate_losses(names), as BacklitEnhancer has"
            )
        for phase in self.schedule.phases:
            try:
                if hasattr(self.model, "check_phase"):
                    self.model.check_phase(phase)
                else:
                    self.model.activate_losses(phase.losses)
                self.modules.check(phase)
                if phase.loader not in loaders:
                    raise ValueError(
                        f"got loader={phase.loader!r}, expected one of {', '.join(loaders)}"
                    )
            except ValueError as error:
                raise ValueError(f"phase {phase.name!r}: {error}") from error

    @property
    def epoch(self) -> int:
        """As far as MMEngine asks: 0, since all is one epoch."""
        return self._epoch

    @property
    def max_epochs(self) -> int:
        """As far as MMEngine asks."""
        return 1

    @property
    def iter(self) -> int:
        """How many iterations are done."""
        return self._iter

    @property
    def max_iters(self) -> int:
        """After how many iterations training ends, as far as is known now."""
        return self._max_iters

    def run(self) -> nn.Module:
        """Print the timeline and train; go on, where a run was resumed."""
        runner = self.runner
        timeline = self.schedule.timeline()
        print_log(f"schedule of {self.schedule.iterations} iterations:\n{timeline}", "current")
        if self._iter:
            self.load_state_dict(self._checkpoints.loaded)
        # Not before init_weights, which may make parameters.
        self.modules.note_trainable()
        self.modules.refuse_bad_gradients()
        self._check_processes()
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        while not (self.position.finished or self.stop_training):
            runner.model.train()
            self.run_iter()
            is_due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if runner.val_loop is not None and self._iter >= self.val_begin and is_due:
                runner.val_loop.run()
        self.loaders.stop()
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        return runner.model

    def run_iter(self) -> None:
        """Train on one batch, in the phase of its iteration."""
        phase = self.position.phase
        batch = self.loaders.take(phase.loader)
        # Afterwards, since a loader that starts draws a number, whenever that is.
        seed_everything(derive_seed(self.seed, "iteration", self._iter, self._own_seed))
        self._enter_phase()
        self.runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=batch)
        try:
            outputs = self.runner.model.train_step(
                batch, optim_wrapper=self.modules.optimizer(phase)
            )
        except FloatingPointError as error:
            self._leave_out(batch, error)
            return
        self._skipped = 0
        # Before the hooks: the checkpoint that one of them writes is of the next iteration.
        self._advance(outputs)
        self.runner.call_hook(
            "after_train_iter", batch_idx=self._iter, data_batch=batch, outputs=outputs
        )
        self._iter += 1

    def _leave_out(self, batch: Any, error: FloatingPointError) -> None:
        """Take the next batch instead of one with numbers that are not finite, as far as allowed.

        The batch does not count as an iteration.
        """
        told = f"phase {self.position.step}, iteration {self._iter}: {error}"
        if names := [name for name in _photo_names(batch) if name not in told]:
            told += f" The photos of the batch: {', '.join(names)}."
        self._skipped += 1
        if self._skipped > self.skip_limit:
            raise FloatingPointError(told) from error
        self.modules.optimizer(self.position.phase).zero_grad()
        print_log(
            f"{told} Left out: {self._skipped} of at most {self.skip_limit} on end",
            "current",
            logging.WARNING,
        )

    def _enter_phase(self) -> None:
        position, phase, log = self.position, self.position.phase, self.runner.message_hub
        if self._entered != (position.index, position.restarts):
            self._entered = position.index, position.restarts
            place = f", from its iteration {position.iteration} on" if position.iteration else ""
            print_log(f"iteration {self._iter}: phase {position.step}{place}", "current")
            self.modules.train_only(phase, position.iteration, position.length)
            if hasattr(self.model, "start_phase"):
                self.model.start_phase(phase)
            else:
                self.model.activate_losses(phase.losses)
            self._start_log()
        log.update_scalar("train/phase", self.schedule.number(phase))
        if self.schedule.has_rounds:
            log.update_scalar("train/round", position.step.round)

    def _start_log(self) -> None:
        """Let the log's averages begin anew, unless a resumed run brings those of the phase."""
        log = self.runner.message_hub
        place = {"phase": str(self.position.step), "restarts": self.position.restarts}
        if any(log.get_info(name) != value for name, value in place.items()):
            # MMEngine would also go on logging the last value of a loss that is no longer active.
            for name in list(log.log_scalars):
                if name.startswith("train/") and name not in ("train/time", "train/data_time"):
                    del log.log_scalars[name]
            log.update_info_dict(place)

    def _advance(self, outputs: Mapping[str, Tensor]) -> None:
        """Let what follows from the iteration happen: a phase ends, goes on or starts anew."""
        position, phase = self.position, self.position.phase
        watched = [name for name in phase.watched if name in outputs]
        values: dict[str, Any] = {**outputs, **_joint_means(outputs, watched)}
        outcome = position.advance(values)
        if outcome.is_best:
            self.modules.keep_best(phase)
        if outcome.restarts:
            seed = derive_seed(self.seed, "restart", position.index, position.restarts)
            self.modules.start_anew(phase, seed)
        if outcome.ends:
            self.modules.put_back_best(phase)
            if hasattr(self.model, "finish_phase"):
                self.model.finish_phase(phase)
        if position.best is None:
            self.modules.best = None
        done = self._iter + 1
        self._max_iters = done + position.remaining
        self.runner.message_hub.update_info("max_iters", self._max_iters)
        if outcome.report:
            print_log(f"iteration {done}: {outcome.report}", "current")

    def _check_processes(self) -> None:
        for phase in self.schedule.phases:
            finds_unused = getattr(self.runner.model, "find_unused_parameters", True)
            if self.modules.leaves_out(phase) and get_world_size() > 1 and not finds_unused:
                raise ValueError(
                    f"phase {phase.name!r} trains {phase.trains} alone, so several processes need "
                    "find_unused_parameters=True in the config (tools/train.py sets it)"
                )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint carries, of plain types and tensors."""
        best = self.modules.best
        return {
            "seed": self.seed,
            "position": self.position.state_dict(),
            "samples": dict(self.loaders.samples),
            "photos": self.loaders.lengths(),
            "best": None if best is None else {name: value.cpu() for name, value in best.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises:
            ValueError: the schedule does not have the place where the checkpoint is.
        """
        self.position.load_state_dict(state["position"])
        self.seed = state["seed"]
        self.loaders.seed(self.seed)
        self.loaders.samples.update(state["samples"])
        now = self.loaders.lengths()
        for name, count in state.get("photos", now).items():
            if count != now.get(name, count):
                print_log(
                    f"the checkpoint knows {count} photos of the loader {name}, now there are "
                    f"{now[name]}: from here on their order is not what it would have been",
                    "current",
                    logging.WARNING,
                )
        self.modules.best = state["best"]
        self._max_iters = self._iter + self.position.remaining


def _photo_names(batch: Any) -> list[str]:
    samples = batch.get("data_samples") if isinstance(batch, Mapping) else None
    notes = [getattr(sample, "metainfo", {}) for sample in samples or ()]
    return [str(note[key]) for note in notes for key in ("img_path", "ref_path") if key in note]


def _of_first_process(number: int) -> int:
    shared = torch.tensor(number)
    broadcast(shared)
    return int(shared)


def _joint_means(values: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, float]:
    """The means over all processes, so that these decide alike."""
    if not names:
        return {}
    means = torch.stack([values[name].detach().double().mean() for name in names])
    all_reduce(means, "mean")
    return dict(zip(names, means.tolist(), strict=True))
