"""tools/residual.py from two folders to table, CSV and figure."""

import csv
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rave_mm.clip.encoder import load_clip
from rave_mm.clip.vocabulary import embed_phrases
from rave_mm.datasets.shadows import smooth_noise
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.tools.loading import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("residual")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with six pairs in `backlit` and `well-lit`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for index in range(6):
        noise = np.stack([smooth_noise(40, 56, 5, rng) for _ in range(3)], -1)
        photo = np.clip((180, 140, 90) + 40 * noise, 0, 255).astype(np.uint8)
        write_photo(tmp_path / "well-lit" / f"{index}.png", photo)
        write_photo(tmp_path / "backlit" / f"{index}.png", synthetic_backlight(photo, rng))
    return tmp_path


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_make_read_and_compare(
    tool: ModuleType, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.main(tool.parse_arguments(["make", "backlit", "well-lit", "--out", "first.npz"]))
    first = ResidualVector.load("first.npz")
    assert (first.provenance.backlit, first.provenance.well_lit) == ("backlit", "well-lit")

    phrases = ["a well-lit photo", "a backlit photo", "a tower"]
    tool.main(tool.parse_arguments(["read", "first.npz", "--words", *phrases, "--out", "reading"]))
    scores = embed_phrases(load_clip(), phrases).embeddings @ first.vector
    rows = table("reading/words.csv")
    assert [row["word"] for row in rows] == [phrases[i] for i in scores.argsort(descending=True)]
    assert read_photo("reading/residual.png").shape[0] > 900, "four pictures"

    Path("list.txt").write_text("a tower\n\na backlit photo\n")
    make = ["make", "backlit", "well-lit", "--estimator", "median", "--out", "second.npz"]
    tool.main(tool.parse_arguments([*make, "--remove-words", "a tower"]))
    second = ResidualVector.load("second.npz")
    assert second.provenance.estimator == "median"
    assert second.provenance.removed == "the words a tower"
    capsys.readouterr()
    tool.main(
        tool.parse_arguments(["compare", "first.npz", "second.npz", "--word-list", "list.txt"])
    )
    cosine = float(first.vector @ second.vector)
    printed = capsys.readouterr().out
    assert f"cosine of the two vectors: {cosine:.4f}" in printed and "AUC" in printed


def test_the_photos_are_those_that_the_vector_was_made_of(
    tool: ModuleType, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.main(
        tool.parse_arguments(
            ["make", "backlit", "well-lit", "--photos", "3", "--seed", "1", "--out", "v.npz"]
        )
    )
    residual = ResidualVector.load("v.npz")
    assert (residual.provenance.photos, residual.provenance.well_lit_count) == (3, 3)
    capsys.readouterr()
    tool.main(tool.parse_arguments(["compare", "v.npz", "v.npz", "--words", "a tower"]))
    printed = capsys.readouterr().out
    assert "on 3 well-lit and 3 backlit photos of the first:" in printed
    assert f"{residual.target:10.4f}" in printed, "the target that training takes"


@pytest.mark.parametrize("empty", [False, True])
def test_reading_without_the_photos(
    tool: ModuleType, work: Path, empty: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.main(tool.parse_arguments(["make", "backlit", "well-lit", "--out", "v.npz"]))
    (work / "backlit").rename(work / "gone")
    if empty:
        (work / "backlit").mkdir()
    tool.main(tool.parse_arguments(["read", "v.npz", "--top", "3", "--out", "reading"]))
    assert read_photo("reading/residual.png").shape[0] < 600, "two pictures"
    assert len(Path("reading/words.csv").read_text().splitlines()) > 49408


def test_estimators(tool: ModuleType, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = ["--estimators", "mean", "lda", "random", "--out", "table.csv"]
    tool.main(tool.parse_arguments(["estimators", "backlit", "well-lit", *some]))
    rows = {row["estimator"]: row for row in table("table.csv")}
    assert float(rows["mean"]["held_out_auc"]) > 0.9
    assert list(rows) == ["mean", "lda", "random"]
    tool.main(
        tool.parse_arguments(
            ["estimators", "backlit", "well-lit", "--held-out", "backlit", "well-lit", *some]
        )
    )
    again = {row["estimator"]: row for row in table("table.csv")}
    assert again["lda"]["held_out_auc"] == again["lda"]["seen_auc"]


def test_a_vector_of_another_clip(tool: ModuleType, work: Path) -> None:
    tool.main(tool.parse_arguments(["make", "backlit", "well-lit", "--out", "v.npz"]))
    residual = ResidualVector.load("v.npz")
    other = replace(residual.provenance, clip="RN50/openai", clip_fingerprint="0")
    replace(residual, provenance=other).save("other.npz")
    with pytest.raises(SystemExit, match=r"RN50/openai \(0\), not with lighting-clip"):
        tool.main(tool.parse_arguments(["read", "other.npz"]))
