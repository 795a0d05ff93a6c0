import random
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmagic.registry import DATA_SAMPLERS, DATASETS
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.datasets.replayable import (
    ReplayableDataset,
    ReplayableSampler,
    derive_seed,
    random_numbers_from,
    seed_everything,
)
from rave_mm.datasets.unpaired_photos import UnpairedPhotos
from rave_mm.photos.writing import write_photo


def take(sampler: ReplayableSampler, count: int) -> list[tuple[int, int]]:
    return list(islice(sampler, count))


def test_every_pass_has_each_item_once_in_an_order_of_its_own() -> None:
    indices = [index for index, _ in take(ReplayableSampler(range(50), seed=1), 150)]
    passes = [indices[:50], indices[50:100], indices[100:]]
    assert all(sorted(found) == list(range(50)) for found in passes)
    assert len({tuple(found) for found in [*passes, range(50)]}) == 4


def test_without_shuffle_the_items_come_in_turn() -> None:
    samples = take(ReplayableSampler(range(3), shuffle=False, seed=1), 7)
    assert [index for index, _ in samples] == [0, 1, 2, 0, 1, 2, 0]
    assert len({seed for _, seed in samples}) == 7


@pytest.mark.parametrize("start", [0, 1, 4, 5, 6, 99])
def test_it_begins_anywhere(start: int) -> None:
    sampler = ReplayableSampler(range(5), seed=3)
    whole = take(sampler, start + 12)
    sampler.start = start
    assert take(sampler, 12) == whole[start:]


def test_seeds_decide() -> None:
    assert take(ReplayableSampler(range(9), seed=1), 20) == take(
        ReplayableSampler([0] * 9, seed=1), 20
    )
    one, other = (take(ReplayableSampler(range(9), seed=seed), 20) for seed in (1, 2))
    assert {seed for _, seed in one}.isdisjoint(seed for _, seed in other)
    assert [index for index, _ in one] != [index for index, _ in other]
    drawn = {ReplayableSampler(range(9)).seed for _ in range(3)}
    assert len(drawn) == 3


@pytest.mark.parametrize("start", [0, 12])
def test_processes_share_one_sequence(start: int) -> None:
    """Batches of 2 in 3 processes are batches of 6 in one."""
    whole = ReplayableSampler(range(7), seed=5)
    whole.start = start
    parts = []
    for rank in range(3):
        part = ReplayableSampler(range(7), seed=5)
        part.rank, part.world_size, part.start = rank, 3, start
        parts.append(take(part, 8))
    joint = take(whole, 24)
    for batch in range(4):
        ours = [sample for part in parts for sample in part[2 * batch : 2 * batch + 2]]
        assert sorted(ours) == sorted(joint[6 * batch : 6 * batch + 6])


def test_an_empty_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match="ReplayableSampler: got an empty data set"):
        ReplayableSampler([])


class Drawing:
    """Items of random numbers from the three libraries."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> list[float]:
        return [index, random.random(), np.random.rand(), torch.rand(()).item()]


def test_an_item_follows_from_index_and_seed() -> None:
    dataset = ReplayableDataset(Drawing())
    first, again, other = (dataset[item] for item in ((2, 11), (2, 11), (2, 12)))
    assert first == again
    assert all(a != b for a, b in zip(first[1:], other[1:], strict=True))
    assert dataset[3, 11] == [3, *first[1:]]
    assert len(dataset) == 4


def test_an_item_leaves_the_random_numbers_alone() -> None:
    dataset = ReplayableDataset(Drawing())
    seed_everything(5)
    expected = Drawing()[0]
    seed_everything(5)
    _ = dataset[1, 3]
    assert Drawing()[0] == expected
    with pytest.raises(KeyError), random_numbers_from(1):
        raise KeyError
    seed_everything(5)
    assert Drawing()[0] == expected


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_do_not_matter(workers: int) -> None:
    dataset = ReplayableDataset(Drawing())
    expected = [dataset[item] for item in take(ReplayableSampler(dataset, seed=2), 12)]
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=3,
        sampler=ReplayableSampler(dataset, seed=2),
        num_workers=workers,
        collate_fn=list,
    )
    assert [item for batch in islice(loader, 4) for item in batch] == expected


def test_this_packages_photos_replay(tmp_path: Path) -> None:
    """The well-lit photograph that is drawn, and the augmentation of both."""
    for folder, shade in (("backlit", 40), ("well-lit", 200)):
        (tmp_path / folder).mkdir()
        for index in range(4):
            photo = np.random.default_rng(index).integers(0, shade, (24, 24, 3), np.uint8)
            write_photo(tmp_path / folder / f"{index}.png", photo)
    pipeline = [
        {"type": "LoadPhoto", "key": "img"},
        {"type": "LoadPhoto", "key": "ref"},
        {"type": "AugmentBacklit", "size": 16, "keys": ["img"]},
        {"type": "RandomResizedCrop", "keys": ["ref"], "crop_size": 8, "scale": (0.4, 1.0)},
        {"type": "Flip", "keys": ["ref"]},
    ]
    config = {
        "type": "UnpairedPhotos",
        "backlit": str(tmp_path / "backlit"),
        "well_lit": str(tmp_path / "well-lit"),
        "pipeline": pipeline,
        "lazy_init": True,
    }
    init_default_scope("mmagic")
    dataset = ReplayableDataset(config)
    dataset.full_init()
    assert isinstance(dataset.dataset, UnpairedPhotos)
    assert dataset.metainfo["dataset_type"] == "unpaired_photos"
    seeds = [derive_seed(seed) for seed in range(6)]
    one, again = ([dataset[1, seed] for seed in seeds] for _ in range(2))
    for a, b in zip(one, again, strict=True):
        assert a["ref_path"] == b["ref_path"]
        np.testing.assert_array_equal(a["img"], b["img"])
        np.testing.assert_array_equal(a["ref"], b["ref"])
    assert len({item["ref_path"] for item in one}) > 1
    assert len({item["img"].tobytes() for item in one}) > 1


def test_metainfo_is_missing_where_the_data_set_has_none() -> None:
    assert not hasattr(ReplayableDataset(Drawing()), "metainfo")
    ReplayableDataset(Drawing()).full_init()
    assert hasattr(ReplayableDataset(BaseDataset(lazy_init=True)), "metainfo")


def test_derived_seeds_differ() -> None:
    several = [(), (0,), (0, 0), (0, 1), (1, 0), ("0",), (10,), (2**40,), ("a", 1), ("a1",)]
    seeds = {derive_seed(*parts) for parts in several}
    assert len(seeds) == len(several)
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert derive_seed(7, "pass", 1) == 3590687748  # the same everywhere, for ever


def test_registered() -> None:
    assert DATA_SAMPLERS.get("ReplayableSampler") is ReplayableSampler
    assert DATASETS.get("ReplayableDataset") is ReplayableDataset
