import numpy as np
import pytest

from rave_mm.datasets.harms import HARMS
from rave_mm.datasets.lighting_captions import (
    CAPTIONS,
    LEVELS,
    harm_label,
    lighting_label,
    worded,
)


def test_captions_are_distinct() -> None:
    assert len(set(CAPTIONS)) == len(CAPTIONS) == len(LEVELS) ** 2 + len(HARMS) + 5


@pytest.mark.parametrize(
    ("light", "caption"),
    [
        ((0, 0), "a well-lit photo"),
        ((-2.8, -2.8), "a very dark photo"),
        ((-2.8, 0), "a backlit photo"),
        ((1.8, 1.8), "an overexposed photo"),
        ((9, 9), "a blown out photo"),
        (
            (-4.2, 1.8),
            "a backlit photo with an almost black foreground and an overexposed background",
        ),
    ],
)
def test_a_light_on_the_grid_has_one_caption(light: tuple[float, float], caption: str) -> None:
    label = lighting_label(*light)
    assert CAPTIONS[int(label.argmax())] == caption
    assert label.max() == pytest.approx(1)


def test_a_light_between_levels_is_shared_in_proportion() -> None:
    label = lighting_label(-0.7, 0)
    assert label[CAPTIONS.index("a well-lit photo")] == pytest.approx(0.5)
    assert label[CAPTIONS.index("a slightly backlit photo")] == pytest.approx(0.5)
    assert label.sum() == pytest.approx(1)


def test_harm_takes_its_share() -> None:
    label = harm_label("a photo with a red cast", 0.25, lighting_label(0, 0))
    assert label[CAPTIONS.index("a photo with a red cast")] == pytest.approx(0.25)
    assert label[CAPTIONS.index("a well-lit photo")] == pytest.approx(0.75)


def test_wordings_say_the_same_in_good_english() -> None:
    rng = np.random.default_rng(0)
    for caption in CAPTIONS:
        said = {worded(caption, rng) for _ in range(60)}
        assert caption in said
        assert len(said) >= (4 if "photo" in caption else 1), f"{caption}: {said}"
        for words in said:
            article, *rest = words.split()
            if rest:  # a word alone has no article
                assert article == ("an" if rest[0][0] in "aeiou" else "a"), words


def test_no_wording_belongs_to_two_captions() -> None:
    rng = np.random.default_rng(0)
    owners: dict[str, str] = {}
    for caption in CAPTIONS:
        for _ in range(60):
            words = worded(caption, rng)
            assert owners.setdefault(words, caption) == caption, words
