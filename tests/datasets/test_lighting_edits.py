import numpy as np
import pytest

from rave_mm.datasets.lighting_edits import (
    CAPTIONS,
    HARM_SHARES,
    HARMS,
    LEVELS,
    Lesson,
    harm_label,
    lesson,
    lighting_label,
)

PHOTO = np.random.default_rng(0).integers(60, 200, (120, 160, 3), dtype=np.uint8)


def drawn_lesson(scene: int, edit: int) -> Lesson:
    generators = (np.random.default_rng([kind, seed]) for kind, seed in enumerate((scene, edit)))
    return lesson(PHOTO, PHOTO[::-1], 32, *generators)


def test_captions_are_distinct() -> None:
    assert len(set(CAPTIONS)) == len(CAPTIONS) == len(LEVELS) ** 2 + 14


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


def test_lessons_are_whole_and_reproducible() -> None:
    for seed in range(200):
        drawn, again = drawn_lesson(seed, seed), drawn_lesson(seed, seed)
        assert drawn.image.shape == (32, 32, 3) and drawn.image.dtype == np.uint8
        assert drawn.label.sum() == pytest.approx(1, abs=1e-5) and drawn.label.min() >= 0
        np.testing.assert_array_equal(drawn.image, again.image)


def test_every_harm_has_its_share() -> None:
    labels = np.stack([drawn_lesson(seed, seed).label for seed in range(1500)])
    harmed = labels[:, [CAPTIONS.index(harm) for harm in HARMS]]
    assert (harmed.max(0) > 0.8).all(), "a harm that no lesson shows"
    assert (harmed.sum(1) > 0).mean() == pytest.approx(sum(HARM_SHARES.values()), abs=0.05)


def test_lessons_of_a_scene_show_the_same_thing() -> None:
    """Two well-lit lessons of a scene differ by little, those of two scenes by much."""
    well_lit = CAPTIONS.index("a well-lit photo")
    edits = [edit for edit in range(60) if drawn_lesson(0, edit).label[well_lit] > 0.85]
    pictures = [drawn_lesson(0, edit).image.astype(int) for edit in edits]
    others = [drawn_lesson(1, edit).image.astype(int) for edit in edits]
    assert len(edits) > 3
    within = [np.abs(picture - pictures[0]).mean() for picture in pictures[1:]]
    across = [np.abs(a - b).mean() for a, b in zip(pictures, others, strict=True)]
    assert max(within) < min(across)


def test_darker_captions_go_with_darker_pictures() -> None:
    dark = [CAPTIONS.index(c) for c in ("a very dark photo", "an almost black photo")]
    bright = [CAPTIONS.index(c) for c in ("an overexposed photo", "a blown out photo")]
    lessons = [drawn_lesson(seed, seed) for seed in range(500)]
    darkness = [x.image.mean() for x in lessons if x.label[dark].sum() > 0.8]
    brightness = [x.image.mean() for x in lessons if x.label[bright].sum() > 0.8]
    assert len(darkness) > 3 and len(brightness) > 3
    assert max(darkness) < 90 < 170 < min(brightness)
