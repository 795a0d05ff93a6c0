"""The bundled CLIP on photographs of other scenes than it was trained on."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from rave_mm.clip import fooling_report as fooling
from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.clip.encoder import load_clip
from rave_mm.clip.lighting_report import lighting_report
from rave_mm.datasets.harms import CAST_NAMES, HARMS
from rave_mm.datasets.photo_sets import sets
from rave_mm.datasets.photo_sets.sources import chosen_photographs
from rave_mm.web.guide import LIGHTING_GUIDE


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve; the model card has the figures of 101."""
    pytest.importorskip("mvtbdata", reason="photographs of mvtb-data are not installed")
    folder = tmp_path_factory.mktemp("demo") / "set"
    entries = [entry for entry in chosen_photographs("demo") if entry["split"] == "test"]
    with patch.object(sets, "chosen_photographs", lambda name: entries):
        sets.make_demo(folder)
    return folder / "test/resize_gt"


@pytest.fixture(scope="module")
def report(photographs: Path) -> dict[str, Any]:
    return lighting_report(load_clip(), photographs)


def test_it_is_small_enough_to_ship() -> None:
    files = [*BUNDLED_FOLDER.iterdir(), LIGHTING_GUIDE]
    assert sum(path.stat().st_size for path in files) < 40e6


def test_it_tells_lights_apart(report: dict[str, Any]) -> None:
    assert report["photographs"] == 12
    assert report["accuracy"]["all"] >= 0.93, report["accuracy"]


PLAIN = (
    *("white", "grey", "black", "only noise", "negative"),
    *("harsh contrast", "flat contrast", "patchy light"),
    *(f"{name} cast" for name in CAST_NAMES),
)
"""Harms that no photo has by itself, and which the first edition knew too."""


def test_spoilt_pictures_are_not_called_well_lit(report: dict[str, Any]) -> None:
    """But for single ones: some photos are grainy by themselves."""
    assert max(report["harmed"][name] for name in PLAIN) < 0.1, report["harmed"]
    called = [report["harmed"][name] for name in {*PLAIN, *HARMS}]
    assert max(called) < 0.2, report["harmed"]
    assert sum(called) / len(called) < 0.04, report["harmed"]


def test_spoiling_a_photo_makes_it_less_well_lit(report: dict[str, Any]) -> None:
    shares = [report["farther"][name] for name in (*PLAIN, "backlit", "dark", "overexposed")]
    assert min(shares) > 0.8, report["farther"]
    assert sum(share == 1 for share in shares) >= 12, report["farther"]
    shares = [report["farther"][name] for name in (*HARMS, "backlit", "dark", "overexposed")]
    assert min(shares) > 0.6, report["farther"]
    assert sum(share == 1 for share in shares) >= 18, report["farther"]


def test_whatever_is_not_well_lit_costs_the_guidance_more(report: dict[str, Any]) -> None:
    """But for flattened light, the hole that the model card names."""
    guidance = report["guidance"]
    names = {*PLAIN, *HARMS, "backlit", "dark", "overexposed"} - {"flattened light"}
    assert min(guidance[name] for name in names) > 2 * guidance["well-lit"], guidance
    assert guidance["backlit"] > 20 * guidance["well-lit"]


def test_it_is_hard_to_fool(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On 101 photographs the first edition had 76% of the taught harms and 75% of the others."""
    monkeypatch.setattr(fooling, "SEVERITIES", (1.0,))
    report = fooling.fooling_report(load_clip(), photographs)
    assert report["backlit"]["residual"] == {"right": 1, "enhanced": 1}
    for group, least in (("harms", 0.9), ("untaught", 0.75)):
        for way in ("residual", "words"):
            shares = [by_severity["1.0"][way] for by_severity in report[group].values()]
            assert sum(shares) / len(shares) > least, report[group]
