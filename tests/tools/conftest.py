from pathlib import Path

import numpy as np
import pytest

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.datasets.shadows import smooth_noise
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.photos.writing import write_photo


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a demo set of three training and two test photos."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, ground_truth, count in (
        ("train/backlit", "train/well-lit", 3),
        ("test/resize_input", "test/resize_gt", 2),
    ):
        (tmp_path / "data/demo" / folder).mkdir(parents=True)
        (tmp_path / "data/demo" / ground_truth).mkdir(parents=True)
        for index in range(count):
            noise = np.stack([smooth_noise(40, 56, 5, rng) for _ in range(3)], -1)
            photo = np.clip((180, 140, 90) + 40 * noise, 0, 255).astype(np.uint8)
            write_photo(tmp_path / "data/demo" / ground_truth / f"{index}.png", photo)
            write_photo(
                tmp_path / "data/demo" / folder / f"{index}.png", synthetic_backlight(photo, rng)
            )
    return tmp_path
