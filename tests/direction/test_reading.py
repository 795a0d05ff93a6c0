import csv
import io

import pytest
import torch

from rave_mm.clip.vocabulary import Words
from rave_mm.direction.reading import read_vector, reading_csv, reading_table

VECTOR = torch.tensor([1.0, 0.0])
WORDS = Words(
    ("beside", "towards", "away", "half"),
    torch.tensor([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0], [0.6, 0.8]]),
)


def test_words_are_ranked_by_their_cosine_with_the_vector() -> None:
    reading = read_vector(VECTOR, WORDS)
    assert reading.words == ("towards", "half", "beside", "away")
    assert reading.scores == pytest.approx((1, 0.6, 0, -1))
    assert reading.nearest(2) == [("towards", 1.0), ("half", pytest.approx(0.6))]
    assert [word for word, _ in reading.farthest(2)] == ["away", "beside"]
    assert reading.ranks() == {"towards": 1, "half": 2, "beside": 3, "away": 4}


def test_the_opposite_vector_reads_the_other_way_round() -> None:
    assert read_vector(-VECTOR, WORDS).words == read_vector(VECTOR, WORDS).words[::-1]


def test_of_words_that_look_alike_the_nearer_has_the_rank() -> None:
    words = Words(("a", "b", "a"), torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    assert read_vector(VECTOR, words).ranks() == {"a": 1, "b": 2}


def test_a_vector_of_another_clip() -> None:
    with pytest.raises(ValueError, match=r"vector \(3,\) for words of 2 components"):
        read_vector(torch.ones(3), WORDS)


def test_table_and_csv() -> None:
    reading = read_vector(VECTOR, WORDS)
    lines = reading_table(reading, 10).split("\n")
    assert len(lines) == 5, "there are but four words"
    assert lines[1].split() == ["towards", "1.0000", "away", "-1.0000"]
    rows = list(csv.DictReader(io.StringIO(reading_csv(reading))))
    assert [row["word"] for row in rows] == list(reading.words)
    assert rows[1]["rank"] == "2" and float(rows[1]["score"]) == pytest.approx(0.6)
