"""tools/enhance.py: what it refuses, and photos that fail."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rave_mm.photos.writing import write_photo
from rave_mm.runtime.folder_in_use import only_run_in
from tests.tools.enhance.pictures import dark


def test_failures_by_rows_leave_nothing_behind(enhance: Callable, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.jpg"):
        write_photo(tmp_path / "in" / name, dark(200, 300))
        data = (tmp_path / "in" / name).read_bytes()
        (tmp_path / "in" / name).write_bytes(data[: len(data) * 9 // 10])
    out = tmp_path / "out"
    found = enhance(tmp_path / "in", "--out", out, "--light-map-side", 64)
    assert found.status == 1 and "0 done, 0 skipped, 2 failed" in found.out
    assert f"failed: {tmp_path / 'in/a.png'}: damaged or cut short" in found.out
    assert [path.name for path in out.iterdir()] == ["enhance.csv"]


def test_failures_do_not_stop_the_others(enhance: Callable, photos: Path, tmp_path: Path) -> None:
    (photos / "a0.jpg").write_text("no photo")
    data = (photos / "b.jpg").read_bytes()
    (photos / "b1.jpg").write_bytes(data[: len(data) // 2])
    Image.new("1", (3000, 3000)).save(photos / "bomb.png")
    Image.new("RGBA", (8, 8)).save(photos / "clear.png")
    out = tmp_path / "out"
    (out / "b.webp").mkdir(parents=True)  # in the way of a result
    arguments = (photos, "--out", out, "--max-megapixels", 1, "--format")
    found = enhance(*arguments, "webp")
    assert found.status == 1 and "3 done, 0 skipped, 4 failed" in found.out
    for name in ("a0.jpg: not a picture", "b1.jpg: ", "bomb.png: ", "b.jpg: "):
        assert f"failed: {photos / name}" in found.out
    assert (out / "trip/c.webp").is_file()
    assert not list(out.rglob(".*"))
    found = enhance(*arguments, "jpg")
    assert found.status == 1 and "clear.png: cannot write" in found.out


def test_refused_before_anything_is_done(enhance: Callable, photos: Path, tmp_path: Path) -> None:
    write_photo(photos / "b.png", dark())
    out = tmp_path / "out"
    for arguments, message in (
        ((out, "--format", "png"), "overwrite each other"),
        ((photos,), "overwrite photographs"),
        ((photos / "b.png" / "out",), "Not a directory"),
        ((out, "--strength", -1), "got strength=-1"),
        ((out, "--device", "tpu"), "expected auto, cpu or cuda"),
        ((out, "--precision", "float16"), "float16 on a CPU"),
        ((out, "--light-map-side", 0), "got light_map_side=0; expected 1 pixel"),
        ((out, "--max-memory", "10MB"), "expected more than"),
        ((out, "--checkpoint", tmp_path / "no.pth"), "no checkpoint"),
    ):
        assert message in enhance(photos, "--out", *arguments).status
    assert "no such photograph or folder" in enhance(tmp_path / "none", "--out", out).status
    assert not out.exists() or not list(out.iterdir())


def test_a_second_run_into_the_same_folder_is_refused(
    enhance: Callable, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with only_run_in(out):
        assert "out is in use by process" in enhance(photos, "--out", out).status
    assert list(out.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(enhance: Callable, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    assert "Permission denied" in enhance(photos, "--out", tmp_path / "out").status
