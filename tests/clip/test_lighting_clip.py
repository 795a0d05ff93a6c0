"""The bundled CLIP on photographs of other scenes than it was trained on."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import rave_mm
from rave_mm.clip.encoder import load_clip
from rave_mm.clip.lighting_report import lighting_report
from rave_mm.clip.weights import BUNDLED_FOLDER

TOOLS = Path(rave_mm.__file__).parents[1] / "tools"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pytest.importorskip("mvtbdata", reason="photographs of mvtb-data are not installed")
    spec = importlib.util.spec_from_file_location("prepare_data", TOOLS / "prepare_data.py")
    assert spec and spec.loader
    prepare_data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare_data)
    folder = tmp_path_factory.mktemp("demo") / "set"
    prepare_data.make_demo(folder, variants=1)
    return lighting_report(load_clip(), folder / "test/resize_gt")


def test_it_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in BUNDLED_FOLDER.iterdir()) < 30e6


def test_it_tells_lights_apart(report: dict[str, Any]) -> None:
    assert report["photographs"] == 12
    assert report["accuracy"]["all"] >= 0.95, report["accuracy"]


def test_spoilt_pictures_are_not_called_well_lit(report: dict[str, Any]) -> None:
    """Casts and negatives are the weak side, and harsh contrast a little: see the model card."""
    harmed = dict(report["harmed"])
    assert harmed.pop("negative") < 0.5
    assert harmed.pop("contrast-blown") < 0.1
    casts = [harmed.pop(name) for name in list(harmed) if name.endswith("cast")]
    assert len(casts) == 6 and sum(casts) / 6 < 0.2, casts
    assert set(harmed) == {"white", "grey", "black", "noise"}
    assert not any(harmed.values()), harmed


def test_spoiling_a_photo_makes_it_less_well_lit(report: dict[str, Any]) -> None:
    farther = dict(report["farther"])
    assert farther.pop("negative") > 0.5
    assert min(farther.pop("contrast-blown"), farther.pop("cyan cast")) > 0.7
    assert min(farther.values()) > 0.9, farther


def test_darker_and_brighter_are_farther_from_the_goal_than_well_lit(
    report: dict[str, Any],
) -> None:
    """An enhancer finds any hole: over-brightening and blanking must cost more."""
    guidance = report["guidance"]
    for name in ("backlit", "dark", "overexposed", "white", "black"):
        assert guidance[name] > guidance["well-lit"], name
