"""tools/enhance.py: whole folders, and what is made beside the results."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from rave_mm.inference import PhotoEnhancer
from rave_mm.inference.failure_signs import FailureSigns
from rave_mm.inference.photo_jobs import plan_jobs
from rave_mm.inference.photo_outcome import Outcome
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.tools.enhance.pictures import dark


def test_a_folder(enhance: Callable, photos: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = enhance(photos, "--out", out)
    assert not found.status and "3 done, 0 skipped, 0 failed" in found.out
    enhancer = PhotoEnhancer(checkpoint, device="cpu")
    for name in ("a.png", "b.jpg", "trip/c.png"):
        photo, result = read_photo(photos / name), read_photo(out / name)
        assert (result.shape, result.dtype) == (photo.shape, photo.dtype)
        wanted = enhancer.enhance(photo)
        np.testing.assert_allclose(result, wanted, atol=25 if name == "b.jpg" else 0)
        assert result.mean() > 1.8 * photo.mean()
    with (out / "enhance.csv").open() as file:
        rows = {Path(row["photo"]).name: row for row in csv.DictReader(file)}
    assert sorted(rows) == ["a.png", "b.jpg", "c.png"]
    assert rows["a.png"]["status"] == "done"
    assert 0 <= float(rows["a.png"]["newly_clipped"]) < 0.05


def test_nothing_is_done_twice(enhance: Callable, photos: Path, tmp_path: Path) -> None:
    """But what is missing is, and no half file counts."""
    out = tmp_path / "out"
    out.mkdir()
    (out / ".a.png.123").write_bytes(b"half")
    (out / "b.jpg").write_bytes(b"kept")
    assert "2 done, 1 skipped, 0 failed" in enhance(photos, "--out", out).out
    assert (out / "b.jpg").read_bytes() == b"kept"
    assert "0 done, 3 skipped, 0 failed" in enhance(photos, "--out", out).out
    assert "3 done, 0 skipped" in enhance(photos, "--out", out, "--replace").out
    assert (out / "b.jpg").read_bytes() != b"kept"


def test_options(enhance: Callable, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--strength", 0, "--format", "tiff", "--save-light-map", "--compare"]
    assert not enhance(photos, "--out", out, *options, "--precision", "bfloat16").status
    np.testing.assert_array_equal(read_photo(out / "a.tif"), read_photo(photos / "a.png"))
    light_map = read_photo(out / "trip/c.tif.light_map.png")
    assert light_map.shape == (7, 50, 3) and light_map.dtype == np.uint16
    np.testing.assert_allclose(light_map / 32768, 0.5, atol=0.1)
    with Image.open(out / "b.tif.compare.jpg") as image:
        assert image.size == (40, 40)
    # A result without the pictures beside it is not all that was asked for.
    (out / "a.tif.compare.jpg").unlink()
    (job,) = plan_jobs([photos / "a.png"], out, extension=".tif", compare=True).jobs
    assert not job.done


def test_a_small_view(enhance: Callable, tmp_path: Path) -> None:
    """Photos no larger than it as ever; others near that, by rows, with all that goes with them."""
    photos = tmp_path / "photos"
    photos.mkdir()
    wide = np.sort(dark(60, 300, np.uint16), axis=1)
    write_photo(photos / "wide.png", wide)
    turned = Image.Exif()
    turned[0x0112], turned[0x010F] = 6, "Maker"
    Image.fromarray(np.sort(dark(200, 90), axis=0)).save(
        photos / "turned.jpg", quality=95, exif=turned
    )
    clear = Image.fromarray(np.sort(dark(160, 40), axis=0))
    clear.putalpha(128)
    clear.save(photos / "clear.png")
    Image.fromarray(np.sort(dark(160, 40), axis=0)[..., 0]).save(photos / "gray.png")
    write_photo(photos / "small.png", dark())
    options = (photos, "--strength", 0.5, "--save-light-map", "--compare")
    assert not enhance(*options, "--out", tmp_path / "exact").status
    assert not enhance(*options, "--out", tmp_path / "small", "--light-map-side", 80).status
    names = ("small.png", "wide.png", "clear.png", "gray.png", "turned.jpg")
    for name in (*names, "wide.png.light_map.png", "turned.jpg.light_map.png"):
        exact, found = (read_photo(tmp_path / way / name) for way in ("exact", "small"))
        assert found.dtype == exact.dtype and found.shape == exact.shape
        top = np.iinfo(exact.dtype).max
        difference = np.abs(found / top - exact / top)
        assert difference.mean() < 0.01
        if name == "small.png":
            assert difference.max() == 0
        elif exact.dtype == np.uint16:  # 8 bits may hide how near it is
            assert difference.max() > 0
    for name in names:
        with Image.open(tmp_path / "small" / f"{name}.compare.jpg") as image:
            height, width = read_photo(photos / name).shape[:2]
            assert image.size == (2 * width, height)
    with Image.open(tmp_path / "small/clear.png") as image:
        assert image.mode == "RGBA"
        assert np.unique(np.array(image)[..., 3]).tolist() == [128]
    with Image.open(tmp_path / "small/gray.png") as image:
        assert image.mode == "L"
    with Image.open(tmp_path / "small/turned.jpg") as image:
        assert image.getexif()[0x0112] == 1 and image.getexif()[0x010F] == "Maker"


def test_what_is_not_kept_is_told(enhance: Callable, tmp_path: Path) -> None:
    """Before the photo is enhanced, and in the summary."""
    pages = [Image.fromarray(dark(20, 30)) for _ in range(3)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in/pages.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "in/film.mp4").touch()
    found = enhance(tmp_path / "in", "--out", tmp_path / "out")
    assert not found.status
    note = f"{tmp_path / 'in/pages.tif'} has 3 pages, of which the first is kept"
    assert note in found.err
    assert f"not everything is kept of 1:\n  {note}" in found.out
    assert f"left out 1 that are not read as photos:\n  {tmp_path / 'in/film.mp4'}" in found.out


def test_summary_tells_what_to_look_at(tool: ModuleType, photos: Path, tmp_path: Path) -> None:
    (job,) = plan_jobs([photos / "b.jpg"], tmp_path).jobs
    signs = FailureSigns(0.2, 0.5, 3, 0.01)
    told = tool.summary([Outcome(job, "done", pixels=2 * 10**6, signs=signs)], [], 4, tmp_path)
    assert "1 done, 0 skipped, 0 failed in 4.0 s: 0.25 photos/s, 0.50 MP/s" in told
    assert "1 to look at" in told and "20.0%" in told and str(job.target) in told
