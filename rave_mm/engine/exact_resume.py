"""What lets training be resumed as if it had never stopped: data that replays, a loop's state.

Nothing random has a state to be saved: what a sample looks like follows from its number, and what
is random in an iteration from the iteration's.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from rave_mm.datasets.replayable import ReplayableSampler, derive_seed
from rave_mm.photos.errors import unreadable_in_worker

KEY = "phased_training"
"""Where a checkpoint has the loop's state."""


class ReplayableLoaders:
    """The loaders of a schedule, each an endless sequence that can begin anywhere.

    Args:
        configs: config of each loader by its name; its sampler is a `ReplayableSampler`.
        seed: the same in all processes.

    Raises:
        TypeError: a loader that is not a config, since its data set is to be wrapped.
        ValueError: a loader with another sampler or with a batch sampler.
    """

    def __init__(self, configs: Mapping[str, Any], seed: int) -> None:
        self._iterators: dict[str, Iterator[Any]] = {}
        self._samplers: dict[str, ReplayableSampler] = {}
        self.loaders: dict[str, DataLoader[Any]] = {}
        for name, config in configs.items():
            self.loaders[name], self._samplers[name] = _build(name, config, seed)
        self.seed(seed)

    def lengths(self) -> dict[str, int]:
        """How many photos each loader has."""
        return {name: sampler.size for name, sampler in self._samplers.items()}

    def seed(self, seed: int) -> None:
        """Let all begin at their beginning, in the order that follows from a seed."""
        self.stop()
        self.samples = dict.fromkeys(self.loaders, 0)
        """How many samples each has given, over all processes."""
        for name, sampler in self._samplers.items():
            sampler.seed = derive_seed(seed, "loader", name)

    def stop(self) -> None:
        """Let the workers end; a loader goes on where it was when it is asked again."""
        self._iterators.clear()

    def take(self, name: str) -> Any:
        """The next batch of a loader.

        Raises:
            UnreadablePhotoError: it met one, here or in a worker.
        """
        loader, sampler = self.loaders[name], self._samplers[name]
        if name not in self._iterators:
            sampler.start = self.samples[name]
            self._iterators[name] = iter(loader)
        assert loader.batch_size is not None  # as with a batch sampler
        self.samples[name] += loader.batch_size * sampler.world_size
        try:
            return next(self._iterators[name])
        except RuntimeError as error:
            unreadable = unreadable_in_worker(error)
            if unreadable is None:
                raise
            raise unreadable from error


def _build(name: str, config: Any, seed: int) -> tuple[DataLoader[Any], ReplayableSampler]:
    where = "train_dataloader" if name == "train" else f"loaders: {name}"
    if not isinstance(config, Mapping):
        raise TypeError(f"{where}: got a {type(config).__name__}, expected a loader's config")
    if "batch_sampler" in config:
        raise ValueError(f"{where}: got a batch_sampler, expected batch_size and a sampler")
    config = {
        **config,
        "dataset": {"type": "ReplayableDataset", "dataset": config["dataset"]},
        # The workers persist as it is, since the sequence has no end. With this, the loader would
        # keep them when they are to end.
        "persistent_workers": False,
    }
    loader = Runner.build_dataloader(config, seed=seed)
    sampler = loader.sampler
    if not isinstance(sampler, ReplayableSampler):
        raise ValueError(
            f"{where}: got the sampler {type(sampler).__name__}, expected "
            "dict(type='ReplayableSampler', shuffle=True): after a resume, the order of another "
            "one would not be what it would have been"
        )
    return loader, sampler


class StatefulLoop(Protocol):
    """A loop with a state that a checkpoint is to carry."""

    def state_dict(self) -> dict[str, Any]:
        """The state after the iteration that runs, of plain types and tensors."""


class ExactResumeHook(Hook):
    """Carries a loop's state in each checkpoint.

    Args:
        loop: the loop.
    """

    def __init__(self, loop: StatefulLoop) -> None:
        self.loop = loop
        self._loaded: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Put the state in."""
        checkpoint[KEY] = self.loop.state_dict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note the state; only a run that is resumed asks for it."""
        self._loaded = checkpoint.get(KEY)

    @property
    def loaded(self) -> dict[str, Any]:
        """The state in the checkpoint that was loaded.

        Raises:
            ValueError: there was none in it.
        """
        if self._loaded is None:
            raise ValueError(
                f"the checkpoint to resume from has no {KEY!r}: it was written by another loop or "
                "by an earlier version of this one. Start from its weights alone: "
                "load_from=CHECKPOINT without resume"
            )
        return self._loaded
