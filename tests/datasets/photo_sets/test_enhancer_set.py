"""The enhancer's set: every photograph in its split, with shadows of the kinds that are named."""

import numpy as np
import pytest

from rave_mm.datasets.photo_sets import enhancer_set
from rave_mm.datasets.photo_sets.enhancer_set import make_enhancer
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.datasets.photo_sets.packaged import contents, photograph


def with_subject(size: tuple[int, int]) -> np.ndarray:
    """A bright disc with a texture on a blue wall."""
    rng = np.random.default_rng(0)
    photo = np.full((*size, 3), (90, 120, 200), np.uint8)
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / np.array(size)[:, None, None]
    disc = (y - 0.5) ** 2 + (x - 0.5) ** 2 < 0.09
    photo[disc] = (220, 170, 90)
    return np.clip(photo + rng.normal(0, 4, photo.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def subjects(listed, tmp_path, monkeypatch):
    monkeypatch.setattr(enhancer_set, "LONG_SIDE", 96)
    monkeypatch.setattr(enhancer_set, "CAMERA_PIXELS", 120 * 160)
    for name, split, size in (("s", "test", (120, 160)), ("t", "train", (60, 80))):
        write_photo(tmp_path / f"site/fakephotos/{name}.png", with_subject(size))
        entry = photograph(name, enhancer=split)
        listed.photographs.append({**entry, "subject": [0.1, 0.1, 0.8, 0.8]})
    for name, split in (("r", "test-real"), ("v", "val-real")):
        listed.photographs.append(photograph(name, enhancer=split))
        write_photo(tmp_path / f"site/fakephotos/{name}.png", with_subject((60, 80)))
    listed.save()
    return listed


def test_each_photograph_is_in_its_split(subjects, tmp_path):
    out = tmp_path / "enhancer"
    assert make_enhancer(out)
    pairs = [
        f"{folder}/{side}"
        for folder in ("test/soft", "val/soft")
        for side in ("backlit", "well-lit")
    ]
    assert sorted(contents(out)) == sorted(
        [
            "manifest.json",
            "test/camera/backlit/s.jpg",
            "test/camera/well-lit/s.jpg",
            "test/real/r.png",
            "val/real/v.png",
            "test/subjects/backlit/s.png",
            "test/subjects/well-lit/s.png",
            *(
                f"train/{kind}/{name}.png"
                for kind in ("backlit", "subject", "well-lit")
                for name in "at"
            ),
            *(f"{pair}/{name}.png" for pair in pairs for name in ("cs" if "test" in pair else "b")),
        ]
    )
    assert read_photo(out / "test/soft/backlit/s.png").shape == (72, 96, 3)
    assert read_photo(out / "test/camera/backlit/s.jpg").shape == (120, 160, 3)
    assert not make_enhancer(out)


def test_subjects_are_darkened_along_their_outlines(subjects, tmp_path):
    make_enhancer(tmp_path / "enhancer")
    folder = tmp_path / "enhancer/test/subjects"
    backlit, well_lit = (
        read_photo(folder / side / "s.png").astype(float) for side in ("backlit", "well-lit")
    )
    disc = well_lit[..., 0] > 170
    wall = well_lit[..., 2] > 170
    assert (backlit[disc].mean(-1) < 0.7 * well_lit[disc].mean(-1)).mean() > 0.9
    assert (backlit[wall].mean(-1) > 0.9 * well_lit[wall].mean(-1)).mean() > 0.9


def test_the_masks_of_subjects(subjects, tmp_path):
    make_enhancer(tmp_path / "enhancer")
    folder = tmp_path / "enhancer/train"
    mask, photo = (
        read_photo(folder / "subject/t.png")[..., 0],
        read_photo(folder / "well-lit/t.png"),
    )
    assert (mask[photo[..., 0] > 170] > 127).mean() > 0.9
    assert (mask[photo[..., 2] > 170] > 127).mean() < 0.1
    assert not read_photo(folder / "subject/a.png").any()
