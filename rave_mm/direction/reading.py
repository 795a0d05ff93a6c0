"""Reads a residual vector: which words lie nearest to it, and which farthest."""

import csv
import io
from dataclasses import dataclass

import torch
from torch import Tensor

from rave_mm.clip.vocabulary import Words


@dataclass(frozen=True)
class Reading:
    """Words in the order of `<e_k, v>`, nearest first (RAVE, section 4.1)."""

    words: tuple[str, ...]
    scores: tuple[float, ...]

    def nearest(self, count: int) -> list[tuple[str, float]]:
        """The words that the vector leads to, the first the nearest."""
        return list(zip(self.words, self.scores, strict=True))[:count]

    def farthest(self, count: int) -> list[tuple[str, float]]:
        """The words that the vector leads away from, the first the farthest."""
        return list(zip(self.words, self.scores, strict=True))[: -count - 1 : -1]

    def ranks(self) -> dict[str, int]:
        """The place of each word, 1 the nearest; of words that look alike, the nearer's."""
        return {word: rank for rank, word in reversed(list(enumerate(self.words, 1)))}


def read_vector(vector: Tensor, words: Words) -> Reading:
    """Rank words by `<e_k, v>`.

    Args:
        vector: (D,), of unit length.
        words: from `rave_mm.clip.vocabulary`, of the same CLIP.

    Raises:
        ValueError: the vector is of another CLIP than the words.
    """
    if vector.shape != words.embeddings.shape[1:]:
        raise ValueError(
            f"got a vector {tuple(vector.shape)} for words of {words.embeddings.shape[1]} "
            "components; expected both of the same CLIP"
        )
    # Each by itself, so that equal words score alike to the last bit.
    scores = (words.embeddings * vector.cpu()).sum(1)
    order = torch.argsort(scores, descending=True, stable=True).tolist()
    return Reading(tuple(words.words[index] for index in order), tuple(scores[order].tolist()))


def reading_table(reading: Reading, count: int) -> str:
    """Lines to print: the nearest words and, beside them, the farthest."""
    width = 28
    lines = [f"{'nearest':{width}}{'score':>8}    {'farthest':{width}}{'score':>8}"]
    rows = zip(reading.nearest(count), reading.farthest(count), strict=True)
    for (near, high), (far, low) in rows:
        lines.append(f"{near[:width]:{width}}{high:8.4f}    {far[:width]:{width}}{low:8.4f}")
    return "\n".join(lines)


def reading_csv(reading: Reading) -> str:
    """All words with rank and score, nearest first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("rank", "word", "score"))
    # One token is the character that ends a text in C, which Python 3.10 cannot write.
    words = (word.replace("\0", r"\0") for word in reading.words)
    scored = zip(words, reading.scores, strict=True)
    writer.writerows((rank, *row) for rank, row in enumerate(scored, 1))
    return text.getvalue()
