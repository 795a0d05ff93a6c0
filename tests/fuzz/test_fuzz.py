"""A little of what `python -m tests.fuzz` does for minutes."""

import random
from pathlib import Path

import pytest

from tests.fuzz.__main__ import changed
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.seeds import write_seeds


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_changed_files_are_read_or_refused(reader: Reader, tmp_path: Path) -> None:
    rng = random.Random(0)
    seeds = write_seeds(reader.name, tmp_path / "seeds")
    for seed in seeds:
        assert reader.try_to_read(seed) == "read", seed
    found = []
    for number in range(60):
        seed = rng.choice(seeds)
        path = tmp_path / f"{number}{seed.suffix}"
        path.write_bytes(changed(seed.read_bytes(), rng))
        found.append(reader.try_to_read(path))
    assert {*found} <= {"read", "refused"}, [each for each in found if len(each) > 7]
    assert reader.name == "embeddings" or {*found} == {"read", "refused"}


def test_another_exception_is_a_finding(tmp_path: Path) -> None:
    def wrong(path: Path) -> None:
        raise KeyError(path.name)

    assert Reader("wrong", wrong, (ValueError,)).try_to_read(tmp_path / "a") == "KeyError: 'a'"
    assert Reader("wrong", wrong, (KeyError,)).try_to_read(tmp_path / "a") == "refused"
