"""Photos that are decoded all at once are decoded once, whatever is made of them."""

from pathlib import Path

import numpy as np
import pytest

from rave_mm.inference.photo_jobs import plan_jobs
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.photos import libvips_reader, pillow_reader, raw_reader
from rave_mm.photos.writing import write_photo
from tests.photos.test_raw_reader import write_dng


@pytest.mark.parametrize("suffix", [".webp", ".heic", ".avif", ".dng"])
def test_one_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    dark = np.random.default_rng(0).integers(0, 100, (200, 300, 3), np.uint8)
    if suffix == ".dng":
        write_dng(path, dark[..., 0].astype(np.uint16) * 100)
    else:
        write_photo(path, dark)
    decoded = []
    for module, name in ((pillow_reader, "channels"), (raw_reader, "image_of")):
        original = getattr(module, name)

        def counted(*given: object, original=original) -> object:
            decoded.append(suffix)
            return original(*given)

        monkeypatch.setattr(module, name, counted)
    load = libvips_reader.LOADERS[libvips_reader.AVIF]
    monkeypatch.setitem(
        libvips_reader.LOADERS,
        libvips_reader.AVIF,
        lambda *given, **options: decoded.append(suffix) or load(*given, **options),
    )
    jobs = plan_jobs([path], tmp_path / "out", light_map=True, compare=True).jobs
    (outcome,) = PhotoRun(ShippedEnhancer())(jobs)
    assert (outcome.status, outcome.reason) == ("done", "")
    assert len(decoded) == (2 if suffix == ".avif" else 1)  # one of these for the header
