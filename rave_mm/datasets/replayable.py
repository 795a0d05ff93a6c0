"""Samples that can be had again: sample k of a loader follows from the loader's seed and k alone.

Neither the number of workers nor how far they read ahead matters, so a run that is resumed sees
what it would have seen, without reading anything twice.
"""

import random
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from hashlib import blake2b
from itertools import count
from typing import Any

import numpy as np
import torch
from mmagic.registry import DATA_SAMPLERS, DATASETS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler


def derive_seed(*parts: int | str) -> int:
    """A seed for what these parts stand for, in [0, 2^32)."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=4).digest(), "big")


def seed_everything(seed: int) -> None:
    """Seed the global random numbers of Python, NumPy and PyTorch, there on all devices."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def random_numbers_from(seed: int) -> Iterator[None]:
    """Let Python's, NumPy's and PyTorch's (CPU) global random numbers start from a seed.

    Afterwards they go on where they were.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@DATA_SAMPLERS.register_module()
class ReplayableSampler(Sampler[tuple[int, int]]):
    """Goes through a data set without end, and can begin anywhere.

    It gives (index, seed) for each sample: which item, and the seed of its augmentation. A
    :class:`ReplayableDataset` takes these. Several processes share one sequence: what W processes
    see in a step, with batches of b, is what one process sees with batches of W * b.

    `PhasedTrainLoop` sets `seed` and `start`.

    Args:
        dataset: what to go through; only its length is looked at.
        shuffle: whether each pass has an order of its own.
        seed: of the order and the augmentation, the same in all processes; None for a random one.

    Raises:
        ValueError: an empty data set.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.size = len(dataset)
        if not self.size:
            raise ValueError("ReplayableSampler: got an empty data set, expected at least one item")
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0
        """The sample to begin with, counted over all processes."""
        self.rank, self.world_size = get_dist_info()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order: np.ndarray = np.arange(self.size)
        ordered = -1
        for sample in count(self.start + self.rank, self.world_size):
            turn, place = divmod(sample, self.size)
            if self.shuffle and turn != ordered:
                seed = derive_seed(self.seed, "pass", turn)
                order = np.random.default_rng(seed).permutation(self.size)
                ordered = turn
            yield int(order[place]), derive_seed(self.seed, "sample", sample)

    def __len__(self) -> int:
        """The number of items in a pass."""
        return self.size


@DATASETS.register_module()
class ReplayableDataset(Dataset[Any]):
    """A data set whose items follow from (index, seed), as :class:`ReplayableSampler` gives them.

    While an item is made, the global random numbers of Python, NumPy and PyTorch start from its
    seed. A transform with a generator of its own is not reached by that.

    `PhasedTrainLoop` puts it around the data set of each of its loaders.

    Args:
        dataset: the data set, or its config.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset

    @property
    def metainfo(self) -> Any:
        """The data set's; as there, missing where it has none."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Let the data set list its items, where that is still to be done."""
        if hasattr(self.dataset, "full_init"):
            self.dataset.full_init()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: tuple[int, int]) -> Any:
        index, seed = item
        with random_numbers_from(seed):
            return self.dataset[index]
