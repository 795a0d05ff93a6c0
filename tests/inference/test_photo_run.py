"""A run holds no more memory than it is given, and what does not fit fails alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rave_mm.inference import PhotoEnhancer, photo_memory, photo_run
from rave_mm.inference.photo_jobs import plan_jobs
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.photos.photo import Photo
from rave_mm.photos.writing import write_photo


@pytest.fixture(autouse=True)
def _holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is allowed is for photos, as if this process took none."""
    monkeypatch.setattr(photo_memory, "resident_memory", lambda: 0)


def dark(height: int, width: int, dtype: type = np.uint8) -> np.ndarray:
    top = int(np.iinfo(dtype).max * 0.4)
    return np.random.default_rng(0).integers(0, top, (height, width, 3), dtype)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_photo(tmp_path / "photos/a.png", dark(24, 32, np.uint16))
    write_photo(tmp_path / "photos/b.jpg", dark(40, 20))
    write_photo(tmp_path / "photos/trip/c.png", dark(7, 50))
    return tmp_path / "photos"


def test_the_small_view_has_no_more_memory_than_is_given(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a photo held that could be enhanced by rows, whatever comes before it."""
    Image.fromarray(dark(200, 300)).convert("CMYK").save(tmp_path / "a.jpg")  # not by rows
    for name in ("b.png", "c.png"):
        write_photo(tmp_path / name, dark(200, 300))
    given: list[int] = []
    by_rows: list[str] = []

    class Watched(PhotoEnhancer):
        def see(self, image: object, colour: object, max_memory: int | None = None) -> object:
            given.append(max_memory or 0)
            return super().see(image, colour, max_memory)  # type: ignore[arg-type]

    enhance_by_rows = photo_run.enhance_by_rows

    def watched(photo: Photo, *arguments: object) -> object:
        by_rows.append(photo.path.name)
        return enhance_by_rows(photo, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(photo_run, "enhance_by_rows", watched)
    enhancer = Watched(checkpoint, device="cpu", light_map_side=100)
    run = PhotoRun(enhancer, max_memory=6 * 10**8)
    jobs = plan_jobs([tmp_path], tmp_path / "out").jobs
    assert [outcome.status for outcome in run(jobs)] == ["done"] * 3
    assert by_rows == ["b.png", "c.png"]
    assert len(given) == 3 and all(0 < memory <= 6 * 10**8 for memory in given)


def test_a_photo_larger_than_the_memory_fails_alone(
    photos: Path, checkpoint: Path, tmp_path: Path
) -> None:
    write_photo(photos / "large.png", np.zeros((900, 900, 3), np.uint8))
    enhancer = PhotoEnhancer(checkpoint, device="cpu")
    tight = PhotoRun(enhancer, max_memory=photo_memory._LEAST_NETWORK_MEMORY + 10**6)
    jobs = plan_jobs([photos], tmp_path).jobs
    outcomes = {outcome.job.source.name: outcome for outcome in tight(jobs)}
    assert outcomes.pop("large.png").reason.endswith("MB more memory")
    assert {outcome.status for outcome in outcomes.values()} == {"done"}


def test_memory_of_what_is_held_at_once(
    photos: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory is scarce nothing is read ahead; either way the results are the same."""
    given: list[int] = []

    class Watched(PhotoEnhancer):
        def enhance_pixels(self, pixels: np.ndarray, *args: float, **kwargs: int) -> np.ndarray:
            if "max_memory" in kwargs:  # a run's first call warms up
                given.append(kwargs["max_memory"])
            return super().enhance_pixels(pixels, *args, **kwargs)

    monkeypatch.setattr(photo_memory, "memory_of_photo", lambda photo, job: 10**8)
    jobs = plan_jobs([photos], tmp_path / "out").jobs
    for memory, room in ((5 * 10**8, [300, 300, 300]), (10**9, [800, 700, 800])):
        given.clear()
        run = PhotoRun(Watched(checkpoint, device="cpu"), max_memory=memory, replace=True)
        assert [outcome.status for outcome in run(jobs)] == ["done"] * 3
        assert [given_bytes // 10**6 for given_bytes in given] == room
