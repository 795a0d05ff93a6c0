import csv
import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from rave_mm.direction import quality
from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.estimators import ESTIMATORS, estimate_direction
from rave_mm.direction.quality import (
    held_out_separation,
    measure_estimators,
    quality_csv,
    quality_table,
    separation,
)

MakeClouds = Callable[..., PhotoClouds]


def mean(well_lit: torch.Tensor, backlit: torch.Tensor) -> torch.Tensor:
    return estimate_direction("mean", well_lit, backlit)


def test_separation_by_hand() -> None:
    along = torch.tensor([1.0, 0.0])
    well_lit = torch.tensor([[0.9, 0.0], [0.2, 0.0]])
    backlit = torch.tensor([[0.1, 0.0], [0.5, 0.0]])
    # Of the four pairs, 0.9 is above both, 0.2 above 0.1 alone.
    assert separation(along, well_lit, backlit) == pytest.approx(3 / 4)
    assert separation(-along, well_lit, backlit) == pytest.approx(1 / 4)


def test_photos_held_out_tell_noise_from_a_direction(make_clouds: MakeClouds) -> None:
    apart, alike = make_clouds(1.0, 20), make_clouds(0.0, 20)
    seen = (alike.well_lit.embeddings, alike.backlit.embeddings)
    assert separation(mean(*seen), *seen) > 0.7, "photos that were seen flatter"
    assert held_out_separation(mean, alike) == pytest.approx(0.5, abs=0.2)
    assert held_out_separation(mean, apart) == pytest.approx(1)


def test_photos_of_one_scene_are_held_out_together(make_clouds: MakeClouds) -> None:
    clouds = make_clouds(1.0, 12)
    # As the demo set has them: three backlit variants of a photo that lies there three times.
    well_lit = replace(clouds.well_lit, digests=tuple(f"w{i // 3}" for i in range(12)))
    paths = tuple(path.parent / f"well-lit{i}.png" for i, path in enumerate(clouds.backlit.paths))
    clouds = PhotoClouds(well_lit, replace(clouds.backlit, paths=paths))
    for numbers in clouds.scenes():
        assert numbers.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    calls = []

    def spy(*seen: torch.Tensor) -> torch.Tensor:
        calls.append([len(rows) for rows in seen])
        return mean(*seen)

    held_out_separation(spy, clouds)
    assert calls == [[9, 9]] * 4


def test_too_few_scenes_to_hold_any_out(make_clouds: MakeClouds) -> None:
    one = make_clouds(1.0, 1)
    assert held_out_separation(mean, one) is None


def test_the_cost_is_without_what_is_loaded_once(
    make_clouds: MakeClouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def slow_at_first(name: str, *rows: Any) -> torch.Tensor:
        if name not in loaded:
            loaded.append(name)
            time.sleep(0.4)
        return estimate_direction(name, *rows)

    monkeypatch.setattr(quality, "estimate_direction", slow_at_first)
    (found,) = measure_estimators(make_clouds(1.0, 6), estimators=["median"])
    assert found.seconds < 0.3


def test_measures_of_all_estimators(make_clouds: MakeClouds) -> None:
    measured = measure_estimators(make_clouds(0.6, 20), make_clouds(0.6, 20, seed=1))
    by_name = {found.estimator: found for found in measured}
    assert list(by_name) == list(ESTIMATORS)
    assert by_name["mean"].cosine_to_mean == pytest.approx(1)
    assert by_name["mean"].held_out_auc is not None and by_name["mean"].held_out_auc > 0.95
    for found in measured:
        assert found.target > found.backlit_mean and found.seconds > 0
    assert abs(by_name["random"].bootstrap) < 0.5 < 0.9 < by_name["mean"].bootstrap
    assert len(quality_table(measured).split("\n")) == 1 + len(ESTIMATORS)
    rows = list(csv.DictReader(io.StringIO(quality_csv(measured))))
    assert float(rows[0]["target"]) == pytest.approx(by_name["mean"].target)


def test_what_cannot_be_measured_is_a_dash(make_clouds: MakeClouds) -> None:
    table = quality_table(measure_estimators(make_clouds(1.0, 1), estimators=["mean"]))
    assert table.split("\n")[1].split()[5:7] == ["-", "-"]
