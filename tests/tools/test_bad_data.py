"""What docs/bad_data.md says of bad photos and folders."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmagic.registry import DATASETS
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rave_mm.clip.encoder import load_clip
from rave_mm.direction.residual_vector import residual_from_folders
from rave_mm.engine.exact_resume import ReplayableLoaders
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.writing import write_photo
from tests.engine.tiny import loader, make_runner

ROOT = Path(__file__).resolve().parents[2]
TABLES = re.findall(
    r"^\| ([^|]+) \| (before|turn|resume|never) \| (.+?) \|$",
    (ROOT / "docs/bad_data.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
GOOD = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
BOMB = Image.new("1", (30000, 30000))
OTHER = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])


def saved_and(change: Callable[[Path], Any], name: str, folder: Path, **settings: Any) -> None:
    GOOD.save(folder / name, **settings)
    change(folder / name)


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(x ^ 0x55 for x in content[middle : middle + 200])
    path.write_bytes(bytes(content))


def without_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def with_nan(folder: Path) -> None:
    values = np.zeros((4, 5), np.float32)
    values[1, 2] = np.nan
    Image.fromarray(values).save(folder / "b.tif")


def hdr(folder: Path) -> None:
    text = PngInfo()
    text.add(b"cICP", bytes([9, 16, 0, 1]))  # BT.2020, PQ
    GOOD.save(folder / "b.png", pnginfo=text)


def pages(folder: Path) -> None:
    GOOD.save(folder / "b.tif", save_all=True, append_images=[OTHER])
    GOOD.save(folder / "c.gif", save_all=True, append_images=[OTHER], loop=0)


def kinds(folder: Path) -> None:
    for mode, name in (("RGBA", "b.png"), ("L", "c.jpg"), ("CMYK", "d.jpg")):
        GOOD.convert(mode).save(folder / name)
    Image.fromarray(np.full((4, 5), 0.5, np.float32)).save(folder / "e.tif")
    write_photo(folder / "f.png", np.full((4, 5, 3), 40_000, np.uint16))


# What is put beside a good photo.
FILES: dict[str, Callable[[Path], Any]] = {
    "empty file": lambda folder: (folder / "b.jpg").touch(),
    "text with a photo's name": lambda folder: (folder / "b.jpg").write_text("hello"),
    "JPEG cut short": partial(saved_and, cut, "b.jpg"),
    "JPEG without its end marker": partial(saved_and, without_end, "b.jpg"),
    "PNG cut short": partial(saved_and, cut, "b.png"),
    "WebP cut short": partial(saved_and, cut, "b.webp"),
    "GIF cut short": partial(saved_and, cut, "b.gif"),
    "TIFF cut short": partial(saved_and, cut, "b.tif"),
    "BMP cut short": partial(saved_and, cut, "b.bmp"),
    "AVIF cut short": partial(saved_and, cut, "b.avif"),
    "PNG damaged inside": partial(saved_and, damaged, "b.png"),
    "TIFF damaged inside": partial(saved_and, damaged, "b.tif", compression="tiff_lzw"),
    "JPEG damaged inside": partial(saved_and, damaged, "b.jpg"),
    "more pixels than allowed": lambda folder: Image.new("1", (30000, 30000)).save(
        folder / "b.png"
    ),
    "TIFF with a NaN": with_nan,
    "HDR picture": hdr,
    "broken link": lambda folder: (folder / "b.png").symlink_to("nowhere.png"),
    "file of another kind": lambda folder: (folder / "b.jp2").touch(),
    "folder with a photo's name": lambda folder: (folder / "b.jpg").mkdir(),
    "several pages or frames": pages,
    "alpha, gray, CMYK, 16 bits, float": kinds,
    "missing": lambda folder: shutil.rmtree(folder),
    "a file": lambda folder: (shutil.rmtree(folder), folder.touch()),
    "empty": lambda folder: (folder / "a.png").unlink(),
    "without photos": lambda folder: [
        (folder / "a.png").rename(folder / "a.txt"),
        (folder / "b.txt").touch(),
    ],
}


def photos_of(folder: Path) -> Any:
    return DATASETS.build(
        {
            "type": "UnpairedPhotos",
            "backlit": str(folder),
            "pipeline": [{"type": "LoadPhoto", "key": "img"}],
        }
    )


def copies(count: int, folder: Path) -> None:
    for index in range(count):
        shutil.copy(folder / "a.png", folder / f"{index}.png")


def residual(backlit: Path, well_lit: Path) -> None:
    residual_from_folders(load_clip(), well_lit, backlit)


def dark_and_bright(backlit: Path, well_lit: Path) -> None:
    """Six of each, in the wrong folders."""
    for index in range(6):
        photo = np.asarray(Image.open(ROOT / "docs/before_after.jpg").convert("RGB"))
        half = photo.shape[1] // 2
        crop = slice(0, 200 + 10 * index)
        write_photo(well_lit / f"{index}.png", np.ascontiguousarray(photo[crop, :half]))
        write_photo(backlit / f"{index}.png", np.ascontiguousarray(photo[crop, half:]))
    for folder in (backlit, well_lit):
        (folder / "a.png").unlink()


def pairs(backlit: Path, well_lit: Path) -> None:
    DATASETS.build({"type": "BacklitPairs", "backlit": str(backlit), "well_lit": str(well_lit)})


# What is done to two folders of a photo each, and who is then to look.
FOLDERS: dict[str, tuple[Callable[[Path, Path], Any], Callable[[Path, Path], None]]] = {
    "one photo": (lambda backlit, well_lit: None, residual),
    "one photo, copied": (lambda backlit, well_lit: copies(3, backlit), residual),
    "backlit and well-lit are one folder": (
        lambda backlit, well_lit: shutil.copy(backlit / "a.png", well_lit / "a.png"),
        residual,
    ),
    "backlit and well-lit swapped": (dark_and_bright, residual),
    "pairs: no partner": (lambda backlit, well_lit: OTHER.save(backlit / "b.png"), pairs),
    "pairs: two files of a name": (lambda backlit, well_lit: OTHER.save(backlit / "a.jpg"), pairs),
    "pairs: sizes differ": (
        lambda backlit, well_lit: OTHER.resize((9, 9)).save(backlit / "a.png"),
        pairs,
    ),
}
WHILE_TRAINING: dict[str, Callable[[Path], Any]] = {
    "a photo is removed while training": Path.unlink,
    "a photo is cut while training": cut,
}


def told(what: Callable[[], Any], said: list[str]) -> str:
    """What is raised, or logged."""
    try:
        what()
    except (OSError, ValueError, RuntimeError) as error:
        return f"{error}"
    return "\n".join(said)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged."""
    lines: list[str] = []
    for module in (
        "rave_mm.datasets.unpaired_photos",
        "rave_mm.direction.sanity",
        "rave_mm.direction.residual_vector",
        "rave_mm.engine.phased_train_loop",
    ):
        monkeypatch.setattr(
            f"{module}.print_log", lambda text, *_: lines.append(str(text)), raising=False
        )
    return lines


def row(name: str) -> tuple[str, str]:
    return next((when, text) for kind, when, text in TABLES if kind == name)


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path, said: list[str]) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    GOOD.save(folder / "a.png")
    FILES[name](folder)
    when, text = row(name)
    if when == "before":
        assert text in told(lambda: photos_of(folder), said)
        return
    dataset = photos_of(folder)
    reading = told(lambda: [dataset[index] for index in range(len(dataset))], said)
    assert said == []
    if when == "turn":
        assert text in reading
    else:
        assert when == "never" and reading == "" and text.startswith("nothing: ")


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(name: str, tmp_path: Path, said: list[str]) -> None:
    folders = tmp_path / "backlit", tmp_path / "well-lit"
    for folder, photo in zip(folders, (GOOD, OTHER), strict=True):
        folder.mkdir()
        photo.save(folder / "a.png")
    change, look = FOLDERS[name]
    change(*folders)
    when, text = row(name)
    assert when == "before" and text in told(lambda: look(*folders), said)


@pytest.mark.parametrize("name", WHILE_TRAINING)
def test_folders_that_change(name: str, tmp_path: Path, said: list[str]) -> None:
    GOOD.save(tmp_path / "a.png")
    dataset = photos_of(tmp_path)
    WHILE_TRAINING[name](tmp_path / "a.png")
    when, text = row(name)
    assert when == "turn" and text in told(lambda: dataset[0], said)


@pytest.mark.parametrize("workers", [0, 1])
def test_in_turn_means_named_whoever_reads(workers: int, tmp_path: Path) -> None:
    """PyTorch makes a worker's exception a text of sixty lines."""
    GOOD.save(tmp_path / "a.tif")
    cut(tmp_path / "a.tif")
    pipeline = [{"type": "LoadPhoto", "key": "img"}]
    config = loader(workers=workers)
    config["dataset"] = {
        "type": "UnpairedPhotos",
        "backlit": str(tmp_path),
        "pipeline": pipeline,
    }
    loaders = ReplayableLoaders({"train": config}, seed=0)
    with pytest.raises(UnreadablePhotoError) as refused:
        loaders.take("train")
    loaders.stop()
    assert refused.value.path == tmp_path / "a.tif"
    assert refused.value.reason.startswith("damaged or cut short: ")
    assert len(str(refused.value).splitlines()) == 1


def test_photos_are_added(tmp_path: Path, said: list[str]) -> None:
    phase = {"name": "one", "iterations": 2, "losses": ["fit"]}
    make_runner(tmp_path, [phase], train_dataloader=loader(count=3)).train()
    assert said == [line for line in said if "photos of the loader" not in line]
    again = make_runner(
        tmp_path,
        [{**phase, "iterations": 4}],
        train_dataloader=loader(count=4),
        load_from=str(tmp_path / "iter_2.pth"),
        resume=True,
    )
    again.train()
    when, text = row("photos are added while training")
    assert when == "resume" and any(text in line for line in said)


def test_every_row_is_tested() -> None:
    tested = {*FILES, *FOLDERS, *WHILE_TRAINING, "photos are added while training"}
    assert [kind for kind, _, _ in TABLES] == [kind for kind, _, _ in TABLES if kind in tested]
    assert len(TABLES) == len(tested)
