"""The bundled CLIP on photographs of other scenes than it was trained on."""

from typing import Any

import pytest

from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.clip.encoder import load_clip
from rave_mm.clip.lighting_report import lighting_report
from rave_mm.datasets.harms import CAST_NAMES
from rave_mm.datasets.photo_sets.sets import make_demo


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pytest.importorskip("mvtbdata", reason="photographs of mvtb-data are not installed")
    folder = tmp_path_factory.mktemp("demo") / "set"
    make_demo(folder, variants=1)
    return lighting_report(load_clip(), folder / "test/resize_gt")


def test_it_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in BUNDLED_FOLDER.iterdir()) < 30e6


def test_it_tells_lights_apart(report: dict[str, Any]) -> None:
    """Twelve photographs, once each; the model card has 96% on more, four times each."""
    assert report["photographs"] == 12
    assert report["accuracy"]["all"] >= 0.93, report["accuracy"]


TAUGHT = (
    *("white", "grey", "black", "only noise", "negative"),
    *("harsh contrast", "flat contrast", "patchy light"),
    *(f"{name} cast" for name in CAST_NAMES),
)
"""The harms that the edition which ships was taught; docs/lighting_clip.md has the others."""


def test_spoilt_pictures_are_not_called_well_lit(report: dict[str, Any]) -> None:
    assert max(report["harmed"][name] for name in TAUGHT) < 0.1, report["harmed"]


def test_spoiling_a_photo_makes_it_less_well_lit(report: dict[str, Any]) -> None:
    """A yellow cast can become a cool photo."""
    shares = [report["farther"][name] for name in (*TAUGHT, "backlit", "dark", "overexposed")]
    assert min(shares) > 0.8, report["farther"]
    assert sum(share == 1 for share in shares) >= 12, report["farther"]


def test_whatever_is_not_well_lit_costs_the_guidance_more(report: dict[str, Any]) -> None:
    """An enhancer finds any hole: over-brightening, blanking and tinting must cost more."""
    guidance = report["guidance"]
    worse = [guidance[name] for name in (*TAUGHT, "backlit", "dark", "overexposed")]
    assert min(worse) > guidance["well-lit"], guidance
    assert guidance["backlit"] > 10 * guidance["well-lit"]
