import numpy as np
import pytest

from rave_mm.datasets import lighting_lessons
from rave_mm.datasets.harms import HARMS
from rave_mm.datasets.lighting_captions import BLANKS, CAPTIONS, LEVELS, NEGATIVE, NOISE
from rave_mm.datasets.lighting_lessons import Lesson, draw_scene, lessons_of
from rave_mm.datasets.synthetic_backlight import linear_to_srgb

PHOTO = np.random.default_rng(0).integers(60, 200, (12, 16, 3), dtype=np.uint8)
PHOTO = PHOTO.repeat(10, 0).repeat(10, 1)
WELL_LIT = CAPTIONS.index("a well-lit photo")


def drawn(seed: int, count: int = 4) -> list[Lesson]:
    rng = np.random.default_rng(seed)
    return lessons_of(draw_scene(PHOTO, PHOTO[::-1], 32, rng), count, rng)


def test_lessons_are_whole_and_reproducible() -> None:
    for seed in range(50):
        for lesson, again in zip(drawn(seed), drawn(seed), strict=True):
            assert lesson.image.shape == (32, 32, 3) and lesson.image.dtype == np.uint8
            assert abs(lesson.label.sum() - 1) < 1e-5 and lesson.label.min() >= 0
            np.testing.assert_array_equal(lesson.image, again.image)


def test_a_scenes_first_lesson_is_the_right_picture() -> None:
    rng = np.random.default_rng(3)
    scene = draw_scene(PHOTO, PHOTO[::-1], 32, rng)
    first = lessons_of(scene, 4, rng)[0]
    np.testing.assert_array_equal(first.image, np.round(linear_to_srgb(scene.linear) * 255))
    assert first.label[WELL_LIT] == 1


def test_other_lessons_of_a_scene_are_further_from_it_the_less_they_are_called_well_lit() -> None:
    called, off = [], []
    for seed in range(200):
        first, *others = drawn(seed)
        for lesson in others:
            called.append(lesson.label[WELL_LIT])
            off.append(np.abs(lesson.image.astype(int) - first.image).mean())
    assert np.corrcoef(called, off)[0, 1] < -0.4
    assert np.max(np.array(off)[np.array(called) > 0.95]) < 25


def test_every_harm_and_most_lights_are_shown() -> None:
    labels = np.stack([lesson.label for seed in range(500) for lesson in drawn(seed)])
    named = [harm.caption for harm in HARMS.values()] + [*BLANKS, NOISE, NEGATIVE]
    assert (labels[:, [CAPTIONS.index(caption) for caption in named]].max(0) > 0.8).all()
    assert (labels[:, :49].max(0) > 0.3).mean() > 0.7


def test_what_an_enhancer_got_wrong_is_named_by_the_light_it_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Foregrounds that are called darker are darker."""
    monkeypatch.setattr(lighting_lessons, "KINDS", {"enhanced": 1.0})
    called, left = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        scene = draw_scene(PHOTO, PHOTO[::-1], 32, rng)
        right, wrong = lessons_of(scene, 2, rng)
        grid = wrong.label[: len(LEVELS) ** 2].reshape(len(LEVELS), -1)
        called.append(grid.sum(1) @ np.array(LEVELS))
        changed = wrong.image.astype(float).mean(2) - right.image.mean(2)
        left.append(np.average(changed, weights=scene.mask))
    assert np.corrcoef(called, left)[0, 1] > 0.8
    assert min(called) < -1 < 0 < max(called)


def test_darker_captions_go_with_darker_pictures() -> None:
    dark = [CAPTIONS.index(c) for c in ("a very dark photo", "an almost black photo")]
    bright = [CAPTIONS.index(c) for c in ("an overexposed photo", "a blown out photo")]
    lessons = [lesson for seed in range(300) for lesson in drawn(seed)]
    darkness = [x.image.mean() for x in lessons if x.label[dark].sum() > 0.8]
    brightness = [x.image.mean() for x in lessons if x.label[bright].sum() > 0.8]
    assert len(darkness) > 3 and len(brightness) > 3
    assert max(darkness) < 90 < 170 < min(brightness)
