"""tools/enhance.py: whole folders, stopped and started again, with whatever lies in them."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from rave_mm.inference import PhotoEnhancer
from rave_mm.inference.failure_signs import FailureSigns
from rave_mm.inference.photo_jobs import plan_jobs
from rave_mm.inference.photo_outcome import Outcome
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from rave_mm.runtime.folder_in_use import only_run_in
from tests.tools.loading import TOOLS, load_tool

TOOL = TOOLS / "enhance.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("enhance")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network that doubles brightness."""
    network = LightMapUNet(start="identity")
    with torch.no_grad():
        network.conv_out.bias.fill_(0.5)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


def dark(height: int = 24, width: int = 32, dtype: type = np.uint8) -> np.ndarray:
    top = int(np.iinfo(dtype).max * 0.4)
    return np.random.default_rng(0).integers(0, top, (height, width, 3), dtype)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos/trip").mkdir(parents=True)
    write_photo(tmp_path / "photos/a.png", dark(dtype=np.uint16))
    write_photo(tmp_path / "photos/b.jpg", dark(40, 20))
    write_photo(tmp_path / "photos/trip/c.png", dark(7, 50))
    return tmp_path / "photos"


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """Run the tool in this process; its exit status, or what it says when it refuses."""
    monkeypatch.setattr(sys, "argv", ["enhance.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        tool.main()
    return ended.value.code


def test_a_folder(
    tool: ModuleType,
    photos: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    arguments = (photos, "--out", out, "--checkpoint", checkpoint, "--device", "cpu")
    assert not run(tool, monkeypatch, *arguments)
    assert "3 done, 0 skipped, 0 failed" in capsys.readouterr().out
    enhancer = PhotoEnhancer(checkpoint, device="cpu")
    for name in ("a.png", "b.jpg", "trip/c.png"):
        photo, found = read_photo(photos / name), read_photo(out / name)
        assert (found.shape, found.dtype) == (photo.shape, photo.dtype)
        np.testing.assert_allclose(
            found, enhancer.enhance(photo), atol=25 if name == "b.jpg" else 0
        )
        assert found.mean() > 1.8 * photo.mean()
    with (out / "enhance.csv").open() as file:
        rows = {Path(row["photo"]).name: row for row in csv.DictReader(file)}
    assert sorted(rows) == ["a.png", "b.jpg", "c.png"]
    assert rows["a.png"]["status"] == "done"
    assert 0 <= float(rows["a.png"]["newly_clipped"]) < 0.05

    # Started again: nothing is done twice, but what is missing is, and no half file counts.
    (out / "a.png").unlink()
    (out / ".a.png.123").write_bytes(b"half")
    (out / "b.jpg").write_bytes(b"kept")
    assert not run(tool, monkeypatch, *arguments)
    assert "1 done, 2 skipped, 0 failed" in capsys.readouterr().out
    assert (out / "b.jpg").read_bytes() == b"kept"
    assert not run(tool, monkeypatch, *arguments, "--replace")
    assert "3 done, 0 skipped" in capsys.readouterr().out
    assert (out / "b.jpg").read_bytes() != b"kept"


def test_a_second_run_into_the_same_folder_is_refused(
    tool: ModuleType, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    with only_run_in(tmp_path / "out"):
        refused = run(tool, monkeypatch, photos, "--out", tmp_path / "out")
    assert "out is in use by process" in str(refused)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_goes_on(
    tool: ModuleType,
    photos: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: signal.Signals,
) -> None:
    out = tmp_path / "out"
    append, before = tool.append_report, signal.getsignal(signal.SIGTERM)
    # Where tests run in the background, their parent has switched Ctrl-C off.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)

    def asked_to_stop(path: Path, outcome: Outcome) -> None:
        append(path, outcome)
        os.kill(os.getpid(), asked)

    monkeypatch.setattr(tool, "append_report", asked_to_stop)
    arguments = (photos, "--out", out, "--checkpoint", checkpoint)
    try:
        assert run(tool, monkeypatch, *arguments) == 128 + asked
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)
    told = capsys.readouterr().out
    assert "1 done, 0 skipped, 0 failed" in told
    assert "stopped with 2 to go; the same command does these" in told
    monkeypatch.setattr(tool, "append_report", append)
    assert run(tool, monkeypatch, *arguments) == 0
    assert not list(out.rglob(".*"))
    results = sorted(path.name for path in out.rglob("*") if path.suffix in (".png", ".jpg"))
    assert results == ["a.png", "b.jpg", "c.png"]
    for name in ("a.png", "b.jpg", "trip/c.png"):
        assert read_photo(out / name).shape == read_photo(photos / name).shape


def test_options(
    tool: ModuleType,
    photos: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    arguments = ["--out", out, "--checkpoint", checkpoint, "--strength", 0, "--format", "tiff"]
    arguments += ["--save-light-map", "--compare", "--device", "cpu", "--precision", "bfloat16"]
    assert not run(tool, monkeypatch, photos, *arguments)
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


def test_a_small_view(
    tool: ModuleType, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    arguments = (photos, "--checkpoint", checkpoint, "--device", "cpu", "--out")
    options = ("--strength", 0.5, "--save-light-map", "--compare")
    assert not run(tool, monkeypatch, *arguments, tmp_path / "exact", *options)
    small = ("--light-map-side", 80)
    assert not run(tool, monkeypatch, *arguments, tmp_path / "small", *options, *small)
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


def test_failures_by_rows_leave_nothing_behind(
    tool: ModuleType,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.jpg"):
        write_photo(tmp_path / "in" / name, dark(200, 300))
        data = (tmp_path / "in" / name).read_bytes()
        (tmp_path / "in" / name).write_bytes(data[: len(data) * 9 // 10])
    out = tmp_path / "out"
    arguments = (tmp_path / "in", "--out", out, "--checkpoint", checkpoint, "--device", "cpu")
    assert run(tool, monkeypatch, *arguments, "--light-map-side", 64) == 1
    told = capsys.readouterr().out
    assert "0 done, 0 skipped, 2 failed" in told
    assert f"failed: {tmp_path / 'in/a.png'}: damaged or cut short" in told
    assert [path.name for path in out.iterdir()] == ["enhance.csv"]


def test_failures_do_not_stop_the_others(
    tool: ModuleType,
    photos: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (photos / "a0.jpg").write_text("no photo")
    data = (photos / "b.jpg").read_bytes()
    (photos / "b1.jpg").write_bytes(data[: len(data) // 2])
    Image.new("1", (3000, 3000)).save(photos / "bomb.png")
    Image.new("RGBA", (8, 8)).save(photos / "clear.png")
    out = tmp_path / "out"
    arguments = (photos, "--out", out, "--checkpoint", checkpoint, "--device", "cpu")
    arguments += ("--max-megapixels", 1)
    (out / "b.webp").mkdir(parents=True)  # in the way of a result
    assert run(tool, monkeypatch, *arguments, "--format", "webp") == 1
    told = capsys.readouterr().out
    assert "3 done, 0 skipped, 4 failed" in told
    for name in ("a0.jpg: not a picture", "b1.jpg: ", "bomb.png: ", "b.jpg: "):
        assert f"failed: {photos / name}" in told
    assert (out / "trip/c.webp").is_file()
    assert not list(out.rglob(".*"))
    assert run(tool, monkeypatch, *arguments, "--format", "jpg") == 1
    assert "clear.png: cannot write" in capsys.readouterr().out


@pytest.mark.slow
def test_names_in_no_encoding(checkpoint: Path, tmp_path: Path) -> None:
    """Latin-1 in a file system of UTF-8, a line break, and what libvips takes for options."""
    (tmp_path / "in").mkdir()
    names = [b"caf\xe9.png", b"two\nlines.png", b"a[page=1].png"]
    for name in names:
        write_photo(tmp_path / "in" / os.fsdecode(name), dark(20, 30))
    (tmp_path / "in" / os.fsdecode(b"caf\xe8.txt")).touch()
    out = tmp_path / "out"
    command = [
        sys.executable, str(TOOL), str(tmp_path / "in"), "--out", str(out),
        "--checkpoint", str(checkpoint), "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True)
    assert b"3 done, 0 skipped, 0 failed" in done.stdout
    assert b"caf\xe8.txt: files in .txt are not read" in done.stdout
    found = sorted(os.fsencode(path.name) for path in out.iterdir())
    assert found == sorted([*names, b"enhance.csv"])
    assert b"caf\xe9.png" in (out / "enhance.csv").read_bytes()


def test_what_is_not_kept_is_told(
    tool: ModuleType,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before the photo is enhanced, and in the summary."""
    pages = [Image.fromarray(dark(20, 30)) for _ in range(3)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in/pages.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "in/film.mp4").touch()
    out = tmp_path / "out"
    assert not run(
        tool, monkeypatch, tmp_path / "in", "--out", out, "--checkpoint", checkpoint,
        "--device", "cpu",
    )  # fmt: skip
    told = capsys.readouterr()
    note = f"{tmp_path / 'in/pages.tif'} has 3 pages, of which the first is kept"
    assert note in told.err
    assert f"not everything is kept of 1:\n  {note}" in told.out
    assert f"left out 1 that are not read as photos:\n  {tmp_path / 'in/film.mp4'}" in told.out


def test_refused_before_anything_is_done(
    tool: ModuleType,
    photos: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_photo(photos / "b.png", dark())
    out = tmp_path / "out"
    common = ("--checkpoint", checkpoint, "--out")
    for arguments, message in (
        ((photos, *common, out, "--format", "png"), "overwrite each other"),
        ((photos, *common, photos), "overwrite photographs"),
        ((tmp_path / "none", *common, out), "no such photograph or folder"),
        ((photos, *common, photos / "b.png" / "out"), "Not a directory"),
        ((photos, *common, out, "--strength", -1), "got strength=-1"),
        ((photos, *common, out, "--device", "tpu"), "expected auto, cpu or cuda"),
        ((photos, *common, out, "--device", "cpu", "--precision", "float16"), "float16 on a CPU"),
        ((photos, *common, out, "--light-map-side", 0), "got light_map_side=0; expected 1 pixel"),
        ((photos, *common, out, "--max-memory", "10MB", "--device", "cpu"), "expected more than"),
        ((photos, "--out", out, "--checkpoint", tmp_path / "no.pth"), "no checkpoint"),
    ):
        assert message in str(run(tool, monkeypatch, *arguments))
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(
    tool: ModuleType,
    photos: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    code = run(tool, monkeypatch, photos, "--out", tmp_path / "out", "--checkpoint", checkpoint)
    assert "Permission denied" in str(code)


def test_summary_tells_what_to_look_at(tool: ModuleType, photos: Path, tmp_path: Path) -> None:
    (job,) = plan_jobs([photos / "b.jpg"], tmp_path).jobs
    signs = FailureSigns(0.2, 0.5, 3, 0.01)
    told = tool.summary([Outcome(job, "done", pixels=2 * 10**6, signs=signs)], [], 4, tmp_path)
    assert "1 done, 0 skipped, 0 failed in 4.0 s: 0.25 photos/s, 0.50 MP/s" in told
    assert "1 to look at" in told and "20.0%" in told and str(job.target) in told


@pytest.mark.slow
def test_two_processes_share_a_folder(photos: Path, checkpoint: Path, tmp_path: Path) -> None:
    """Each photo once; a failure in one process does not end the other."""
    (photos / "a0.jpg").write_text("no photo")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(TOOL), str(photos), "--out", str(tmp_path / "out"), "--checkpoint", str(checkpoint),
        "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stdout.count("3 done, 0 skipped, 1 failed") == 1
    with (tmp_path / "out/enhance.csv").open() as file:
        names = [Path(row["photo"]).name for row in csv.DictReader(file)]
    assert sorted(names) == ["a.png", "a0.jpg", "b.jpg", "c.png"]
