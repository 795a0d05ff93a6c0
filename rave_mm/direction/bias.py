"""Takes a bias out of a residual vector, and tells what that changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.clip.vocabulary import Words, embed_phrases, vocabulary
from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import Estimate
from rave_mm.direction.quality import separation
from rave_mm.direction.reading import read_vector
from rave_mm.functional import remove_span, target_along, token_shift


@dataclass(frozen=True)
class BiasRemover:
    """From a residual vector to one without a bias; :func:`bias_remover` makes it."""

    description: str
    """What is removed, in words; empty for nothing."""
    tokens: Tensor | None
    """(K, D), the vocabulary for the token shift; None for no shift."""
    count: int
    """How many tokens of either end."""
    words: Tensor | None
    """(W, D), whose span is removed; None for none."""

    def __call__(self, vector: Tensor) -> Tensor:
        """(D,) to (D,), both of unit length."""
        if self.tokens is not None:
            vector = token_shift(vector, self.tokens, self.count)
        if self.words is not None:
            vector = remove_span(vector, self.words)
        return vector

    def after(self, estimate: Estimate) -> Estimate:
        """The estimate with the bias removed from each of its vectors."""
        return lambda well_lit, backlit: self(estimate(well_lit, backlit))


def bias_remover(
    clip: FrozenCLIP, remove_tokens: int = 0, remove_words: Sequence[str] = ()
) -> BiasRemover:
    """What takes a bias out of vectors: first the token shift, then what the words span.

    In this order the vector says nothing of the words at the end: `<v, e> = 0` for each of them.

    Args:
        clip: the CLIP of the vectors; it needs a text tower if anything is to be removed.
        remove_tokens: n of RAVE's token shift (section 4.1; the paper's is 15), 0 for none.
        remove_words: words or phrases whose span is removed.

    Raises:
        TypeError: the CLIP has no text tower, or one with another tokenizer than CLIP's.
        ValueError: a number below 0, a string in place of a list, or an empty word.
    """
    if isinstance(remove_words, str):
        raise ValueError(
            f"remove_words: got the string {remove_words!r}, expected a list of words, as "
            f"[{remove_words!r}]"
        )
    if remove_tokens < 0:
        raise ValueError(f"remove_tokens: got {remove_tokens}, expected 0 or more")
    parts = [f"{remove_tokens} tokens at each end"] if remove_tokens else []
    parts += [f"the words {', '.join(remove_words)}"] if remove_words else []
    return BiasRemover(
        " and ".join(parts),
        vocabulary(clip).embeddings if remove_tokens else None,
        remove_tokens,
        embed_phrases(clip, remove_words).embeddings if remove_words else None,
    )


def change_report(
    before: Tensor,
    after: Tensor,
    words: Words,
    clouds: PhotoClouds | None = None,
    count: int = 15,
) -> str:
    """What changed from one vector to another, as lines to print.

    Args:
        before, after: (D,), of unit length.
        words: what to read both with.
        clouds: photos, for how much of their separation was kept: both vectors are measured on
            them, the target too. None to leave that out.
        count: how many words of either end.
    """
    lines = [f"cosine of the two vectors: {float(before @ after):.4f}"]
    if clouds is not None:
        sets = (clouds.well_lit.embeddings, clouds.backlit.embeddings)
        lines.append(f"on {len(sets[0])} well-lit and {len(sets[1])} backlit photos of the first:")
        lines.append(f"{'':10}{'AUC':>8}{'target':>10}{'backlit':>10}{'between':>10}")
        for name, vector in (("before", before), ("after", after)):
            target, start = target_along(vector, sets[0]), float((sets[1] @ vector).mean())
            auc = separation(vector, *sets)
            lines.append(f"{name:10}{auc:8.3f}{target:10.4f}{start:10.4f}{target - start:10.4f}")
    was, now = read_vector(before, words), read_vector(after, words)
    places = now.ranks()
    count = min(count, len(words.words))
    for end, rows in (("nearest", was.nearest(count)), ("farthest", was.farthest(count))):
        news = now.nearest(count) if end == "nearest" else now.farthest(count)
        lines += ["", f"{end + ' before':28}{'score':>8}{'place now':>11}    {end} now"]
        lines += [
            f"{word[:28]:28}{score:8.4f}{places[word]:11}    {new}"
            for (word, score), (new, _) in zip(rows, news, strict=True)
        ]
    return "\n".join(lines)
