from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.photo_embeddings import PhotoEmbeddings
from rave_mm.clip.vocabulary import embed_phrases
from rave_mm.direction import residual_vector as module
from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import estimate_direction
from rave_mm.direction.residual_vector import residual_from_folders
from rave_mm.direction.sanity import HANDFUL, check_clouds, check_vector
from rave_mm.functional import target_along
from rave_mm.photos.writing import write_photo

MakeClouds = Callable[..., PhotoClouds]


def mean(well_lit: torch.Tensor, backlit: torch.Tensor) -> torch.Tensor:
    return estimate_direction("mean", well_lit, backlit)


def words_as_photos(text: str, folder: str) -> PhotoEmbeddings:
    """Photos whose embeddings are those of a text, each a little different."""
    row = embed_phrases(load_clip(), [text]).embeddings
    rows = torch.nn.functional.normalize(row + 0.01 * torch.randn(HANDFUL, row.shape[1]), dim=1)
    paths = tuple(Path(folder, f"{folder}{i}.png") for i in range(HANDFUL))
    return PhotoEmbeddings(rows, paths, tuple(map(str, paths)))


@pytest.fixture
def light() -> PhotoClouds:
    return PhotoClouds(
        words_as_photos("a well-lit photo", "w"), words_as_photos("a backlit photo", "b")
    )


def test_nothing_is_said_of_photos_as_they_should_be(light: PhotoClouds) -> None:
    found = check_clouds(load_clip(), light)
    assert found.errors == found.warnings == ()


def test_swapped_folders(light: PhotoClouds) -> None:
    swapped = PhotoClouds(light.backlit, light.well_lit)
    (warning,) = check_clouds(load_clip(), swapped).warnings
    assert warning.startswith("are the folders swapped?")


def test_a_clip_that_texts_cannot_be_told_to_is_not_asked(
    light: PhotoClouds, reference: Path
) -> None:
    clip = FrozenCLIP("openai", str(reference / "clip_vit.pt"))
    assert check_clouds(clip, PhotoClouds(light.backlit, light.well_lit)).warnings == ()


def test_few_photos(make_clouds: MakeClouds) -> None:
    clouds = make_clouds(1.0, HANDFUL - 1)
    (warning,) = check_clouds(load_clip(), clouds).warnings
    assert "very few photos (4 in well_lit, 4 in backlit)" in warning


def test_photos_in_both_folders(light: PhotoClouds) -> None:
    some = replace(light.backlit, digests=("w/w1.png", *light.backlit.digests[1:]))
    found = check_clouds(load_clip(), PhotoClouds(light.well_lit, some))
    assert not found.errors
    told = "photos are in both folders (1 of 5 well-lit, 1 of 5 backlit): w/w1.png and b/b0.png"
    assert told in found.warnings[0]
    every = replace(light.backlit, digests=light.well_lit.digests)
    (error,) = check_clouds(load_clip(), PhotoClouds(light.well_lit, every)).errors
    assert error.startswith("all photos are in both folders (5 of 5 well-lit, 5 of 5 backlit)")


@pytest.mark.parametrize("more", ["well_lit", "backlit"])
def test_one_folder_within_the_other(light: PhotoClouds, more: str) -> None:
    """Whichever is the larger one."""
    part = replace(
        light.backlit,
        embeddings=light.backlit.embeddings[:3],
        paths=light.backlit.paths[:3],
        digests=light.well_lit.digests[:3],
    )
    sets = {"well_lit": light.well_lit, "backlit": part}
    if more == "backlit":
        sets = {"well_lit": part, "backlit": light.well_lit}
    (error,) = check_clouds(load_clip(), PhotoClouds(**sets)).errors
    counts = {"well_lit": "3 of 5 well-lit, 3 of 3", "backlit": "3 of 3 well-lit, 3 of 5"}[more]
    assert error.startswith(f"all photos are in both folders ({counts} backlit)")


def test_swapped_folders_with_a_photo_in_both(light: PhotoClouds) -> None:
    def with_the_same_one(photos: PhotoEmbeddings) -> PhotoEmbeddings:
        return replace(
            photos,
            embeddings=torch.cat([photos.embeddings, light.backlit.embeddings[:1]]),
            paths=(*photos.paths, photos.paths[0].with_stem("same")),
            digests=(*photos.digests, "same"),
        )

    swapped = PhotoClouds(*map(with_the_same_one, (light.backlit, light.well_lit)))
    in_both, the_other_way = check_clouds(load_clip(), swapped).warnings
    assert in_both.startswith("photos are in both folders (1 of 6 well-lit")
    assert the_other_way.startswith("are the folders swapped?")


def test_a_vector_that_parts_nothing(make_clouds: MakeClouds) -> None:
    for gap, warned in ((0.0, True), (1.0, False)):
        clouds = make_clouds(gap, 200)
        rows = (clouds.well_lit.embeddings, clouds.backlit.embeddings)
        vector = mean(*rows)
        found = check_vector(clouds, vector, target_along(vector, rows[0]), mean)
        assert not found.errors
        assert bool(found.warnings) == warned
        if warned:
            assert "does not tell backlit photos from well-lit ones" in found.warnings[0]


def test_a_vector_that_parts_the_sets_but_hardly_leads_from_one_to_the_other(
    make_clouds: MakeClouds,
) -> None:
    """As LDA's: along the second axis the photos differ little, but always the same way."""
    generator = torch.Generator().manual_seed(0)

    def rows(across: float, up: float) -> torch.Tensor:
        noise = 0.05 * torch.randn(12, 4, generator=generator)
        noise[:, 1] = up
        return torch.nn.functional.normalize(torch.tensor([across, 0.0, 1.0, 0.0]) + noise, dim=1)

    bare = make_clouds(1.0, 12)
    clouds = PhotoClouds(
        replace(bare.well_lit, embeddings=rows(0.5, 0.05)),
        replace(bare.backlit, embeddings=rows(-0.5, -0.05)),
    )
    vectors = {"the mean": mean(clouds.well_lit.embeddings, clouds.backlit.embeddings)}
    vectors["the small one"] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    for name, vector in vectors.items():
        target = target_along(vector, clouds.well_lit.embeddings)
        found = check_vector(clouds, vector, target, lambda *_: vector)  # noqa: B023
        assert not found.errors
        if name == "the mean":
            assert not found.warnings
        else:
            (warning,) = found.warnings
            assert "10% of the way along the mean's" in warning


def test_too_few_scenes_to_hold_any_out(make_clouds: MakeClouds) -> None:
    clouds = make_clouds(1.0, 6)
    one = replace(clouds.well_lit, digests=("same",) * 6)
    rows = (clouds.well_lit.embeddings, clouds.backlit.embeddings)
    vector = mean(*rows)
    found = check_vector(
        PhotoClouds(one, clouds.backlit), vector, target_along(vector, rows[0]), mean
    )
    assert "fewer than three scenes" in found.warnings[0]


def test_a_target_on_the_backlit_side(make_clouds: MakeClouds) -> None:
    clouds = make_clouds(1.0)
    rows = (clouds.well_lit.embeddings, clouds.backlit.embeddings)
    vector = -mean(*rows)
    (error,) = check_vector(clouds, vector, target_along(vector, rows[0]), mean).errors
    assert "the guidance would make photos worse: was too much removed" in error


def test_it_is_told_when_the_vector_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said: list[str] = []
    monkeypatch.setattr(module, "print_log", lambda message, *_: said.append(message))
    rng = np.random.default_rng(0)
    for folder, high in (("w", 255), ("b", 60)):
        for index in range(3):
            photo = rng.integers(0, high, (32, 32, 3), dtype=np.uint8)
            write_photo(tmp_path / folder / f"{index}.png", photo)
    residual_from_folders(load_clip(), tmp_path / "w", tmp_path / "b")
    assert "very few photos" in said[0] and "target" in said[-1]
    with pytest.raises(ValueError, match="all photos are in both folders"):
        residual_from_folders(load_clip(), tmp_path / "b", tmp_path / "b")
