from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from rave_mm.clip.photo_embeddings import PhotoEmbeddings
from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import estimate_direction
from rave_mm.direction.stability import bootstrap_agreement, halves_agreement

MakeClouds = Callable[..., PhotoClouds]


def mean(well_lit: torch.Tensor, backlit: torch.Tensor) -> torch.Tensor:
    return estimate_direction("mean", well_lit, backlit)


def thrice(photos: PhotoEmbeddings) -> PhotoEmbeddings:
    """Each photo three times, under names of its own."""
    paths = tuple(path.with_stem(f"{path.stem}-{i}") for i in range(3) for path in photos.paths)
    return replace(
        photos,
        embeddings=photos.embeddings.repeat(3, 1),
        paths=paths,
        digests=photos.digests * 3,
    )


def test_stability_grows_with_the_number_of_photos(make_clouds: MakeClouds) -> None:
    few, many = make_clouds(0.3, 6), make_clouds(0.3, 200)
    for agreement in (halves_agreement, bootstrap_agreement):
        low, high = agreement(mean, few), agreement(mean, many)
        assert low is not None and high is not None and low < high < 1
    assert high > 0.98


def test_more_photos_of_the_same_scenes_do_not_make_a_direction_stable(
    make_clouds: MakeClouds,
) -> None:
    clouds = make_clouds(0.0, 20)  # nothing parts them
    again = PhotoClouds(thrice(clouds.well_lit), thrice(clouds.backlit))
    for agreement in (halves_agreement, bootstrap_agreement):
        once, copied = agreement(mean, clouds), agreement(mean, again)
        assert once is not None and copied is not None and abs(once - copied) < 0.1
    assert abs(halves_agreement(mean, again) or 1) < 0.3


def test_pairs_stay_together_and_both_halves_have_as_many(make_clouds: MakeClouds) -> None:
    clouds = make_clouds(1.0, 10)
    # Six of the ten are pairs, the others photos of their own.
    paths = tuple(
        path.with_stem(f"well-lit{i}") if i < 6 else path
        for i, path in enumerate(clouds.backlit.paths)
    )
    clouds = PhotoClouds(clouds.well_lit, replace(clouds.backlit, paths=paths))
    seen = []

    def spy(well_lit: torch.Tensor, backlit: torch.Tensor) -> torch.Tensor:
        seen.append(
            [
                [int(np.flatnonzero((rows == row).all(1))[0]) for row in part]
                for part, rows in (
                    (well_lit, clouds.well_lit.embeddings),
                    (backlit, clouds.backlit.embeddings),
                )
            ]
        )
        return mean(well_lit, backlit)

    halves_agreement(spy, clouds)
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        for side in (0, 1):
            assert sorted(first[side] + second[side]) == list(range(10))
            assert len(first[side]) == len(second[side]) == 5
        assert {i for i in first[0] if i < 6} == {i for i in first[1] if i < 6}
    seen.clear()
    bootstrap_agreement(spy, clouds)
    for well_lit, backlit in seen:
        assert len(well_lit) == len(backlit) == 10
        assert sorted(i for i in well_lit if i < 6) == sorted(i for i in backlit if i < 6)


def test_too_few_scenes(make_clouds: MakeClouds) -> None:
    assert halves_agreement(mean, make_clouds(1.0, 3)) is None
    three = make_clouds(1.0, 3)
    assert halves_agreement(mean, PhotoClouds(thrice(three.well_lit), three.backlit)) is None
    assert bootstrap_agreement(mean, make_clouds(1.0, 1)) > 0.999
