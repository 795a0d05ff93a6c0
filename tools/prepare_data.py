"""Make the photograph sets that need no download of data, and check those that you bring.

    python tools/prepare_data.py demo                    a BAID-shaped set for `make demo`
    python tools/prepare_data.py lighting-clip           the photographs behind the bundled CLIP
    python tools/prepare_data.py check BACKLIT WELL_LIT  what training would meet in your folders

The photographs come out of pip and Debian packages; photographs.json beside this file lists
them, with their scenes, licences and splits. A set is built aside and then moved into place
with a manifest, so that what is there is complete; the same parameters give the same bytes.
"""

import argparse
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from rave_mm.datasets import synthetic_backlight as backlight
from rave_mm.image_files import UnreadablePhotoError, read_photo, read_photo_8_bit, write_photo
from rave_mm.photo_folders import list_photos, pair_by_stem

PHOTOGRAPHS = Path(__file__).with_name("photographs.json")
DEMO_FOLDERS = {
    "train": ("train/backlit", "train/well-lit"),
    "test": ("test/resize_input", "test/resize_gt"),
}
CLIP_SHORT_SIDE = 320
MANIFEST = "manifest.json"
_SHOWN = 10

Entry = dict[str, Any]


class PreparationError(RuntimeError):
    """A set cannot be made, or is not fit for use; the message says what to do."""


def make_demo(
    out: Path, size: int = 384, variants: int = 3, seed: int = 0, force: bool = False
) -> bool:
    """Make BAID-shaped pairs with synthetic backlight from the photographs of pip packages.

    Args:
        out: Folder to make.
        size: Long side in pixels; smaller photographs keep their size.
        variants: Backlit versions of each training photograph; a test photograph has one.
        seed: Decides the backlight. A photograph's does not depend on the others in the list.
        force: Make the set anew even where it is complete.

    Returns:
        True if it was made, False if it was there already.

    Raises:
        PreparationError: A package is missing, or ``out`` holds something else.
    """
    chosen = _chosen("demo")
    source = Path(str(backlight.__file__)).read_bytes()
    parameters = {
        "set": "demo",
        "size": size,
        "variants": variants,
        "seed": seed,
        "photographs": _digest(json.dumps(chosen, sort_keys=True).encode()),
        "backlight": _digest(source),
    }

    def fill(folder: Path) -> None:
        places = _pip_folders(chosen)
        for entry in tqdm(chosen, desc="demo photographs", unit="photo"):
            photo = _reduced(read_photo_8_bit(_file(entry, places)), size, max)
            backlit_folder, well_lit_folder = DEMO_FOLDERS[entry["split"]]
            versions = variants if entry["split"] == "train" else 1
            for version in range(versions):
                rng = np.random.default_rng([seed, zlib.crc32(entry["id"].encode()), version])
                name = f"{entry['id']}_{version}.png" if versions > 1 else f"{entry['id']}.png"
                _write(folder / backlit_folder / name, backlight.synthetic_backlight(photo, rng))
                _write(folder / well_lit_folder / name, photo)

    return _build(out, parameters, chosen, fill, force)


def make_lighting_clip(out: Path, debs: Path | None = None, force: bool = False) -> bool:
    """Collect the photographs behind the bundled CLIP, ``train/ID.png`` and ``test/ID.png``.

    Args:
        out: Folder to make.
        debs: Folder with the .deb files, or None to fetch them with apt-get.
        force: Make the set anew even where it is complete.

    Returns:
        True if it was made, False if it was there already.

    Raises:
        PreparationError: A package is missing or cannot be fetched, or ``out`` holds
            something else.
    """
    chosen = _chosen("clip")
    parameters = {
        "set": "lighting-clip",
        "short_side": CLIP_SHORT_SIDE,
        "photographs": _digest(json.dumps(chosen, sort_keys=True).encode()),
    }

    def fill(folder: Path) -> None:
        places = _pip_folders(chosen)
        with _debian_folders(chosen, debs) as unpacked:
            places |= unpacked
            for entry in tqdm(chosen, desc="lighting CLIP photographs", unit="photo"):
                photo = _reduced(read_photo_8_bit(_file(entry, places)), CLIP_SHORT_SIDE, min)
                _write(folder / entry["split"] / f"{entry['id']}.png", photo)

    return _build(out, parameters, chosen, fill, force)


def check(backlit: Path, well_lit: Path, unpaired: bool = False) -> str:
    """Read every photograph of two folders, as training would.

    Args:
        backlit: Folder of backlit photographs.
        well_lit: Folder of well-lit ones: their counterparts, unless ``unpaired``.
        unpaired: Whether the folders have nothing to do with each other.

    Returns:
        Counts, as text.

    Raises:
        PreparationError: Photographs cannot be read; names them.
        FileNotFoundError, ValueError: As :func:`rave_mm.photo_folders.pair_by_stem`.
    """
    if unpaired:
        photos = [list_photos(backlit), list_photos(well_lit)]
        lines = []
    else:
        listing = pair_by_stem(backlit, well_lit)
        photos = [[pair[side] for pair in listing.pairs] for side in (0, 1)]
        lines = [f"pairs: {len(listing.pairs)}", f"duplicates left out: {len(listing.left_out)}"]
        lines += _first(listing.left_out)
    broken: list[UnreadablePhotoError] = []
    with tqdm(total=sum(map(len, photos)), desc="reading", unit="photo") as bar:
        for folder, paths in zip((backlit, well_lit), photos, strict=True):
            deep = 0
            sides: list[int] = []
            for path in paths:
                try:
                    photo = read_photo(path)
                    deep += photo.dtype == np.uint16
                    sides += photo.shape[:2]
                except UnreadablePhotoError as error:
                    broken.append(error)
                bar.update()
            pixels = f"{min(sides)} to {max(sides)} pixels a side" if sides else "none readable"
            lines.append(f"{folder}: {len(paths)} photographs, {pixels}, {deep} of 16 bits")
    if broken:
        named = [f"{error.path}: {error.reason}" for error in broken]
        raise PreparationError(
            "\n".join([f"{len(broken)} photographs cannot be read:", *_first(named)])
            + "\nReplace or remove them; training would stop at the first."
        )
    return "\n".join(lines)


def _chosen(purpose: str) -> list[Entry]:
    """The photographs of one purpose, each with its "split" and its package's record."""
    listed = json.loads(PHOTOGRAPHS.read_text(encoding="utf-8"))
    photographs = listed["photographs"]
    # What tests the demo must not have trained the CLIP that guides it either.
    for trained, tested in (("demo", "demo"), ("clip", "clip"), ("clip", "demo")):
        scenes = {p["scene"] for p in photographs if p[trained] == "train"}
        if both := sorted({p["scene"] for p in photographs if p[tested] == "test"} & scenes):
            raise PreparationError(
                f"{PHOTOGRAPHS} has scenes that train the {trained} and test the {tested}: "
                f"{', '.join(both)}; give all photographs of a scene the same split"
            )
    return [
        {key: photo[key] for key in ("id", "file", "scene")}
        | {"split": photo[purpose]}
        | {"package": {"name": photo["package"], **listed["packages"][photo["package"]]}}
        for photo in photographs
        if photo[purpose]
    ]


def _pip_folders(chosen: Sequence[Entry]) -> dict[str, Path]:
    """Where the pip packages lie that the photographs come from."""
    found, missing = {}, []
    for package in _packages(chosen, "pypi"):
        spec = importlib.util.find_spec(package["module"])
        if spec is None or not spec.submodule_search_locations:
            missing.append(package["requirement"])
        else:
            found[package["name"]] = Path(spec.submodule_search_locations[0])
    if missing:
        wanted = " ".join(f"'{requirement}'" for requirement in missing)
        raise PreparationError(
            f"packages with photographs are not installed here: {', '.join(missing)}\n"
            f"Install them: {sys.executable} -m pip install {wanted}"
        )
    return found


@contextmanager
def _debian_folders(chosen: Sequence[Entry], debs: Path | None) -> Iterator[dict[str, Path]]:
    """Unpack the Debian packages that the photographs come from, for as long as needed."""
    packages = _packages(chosen, "debian")
    for tool in ("dpkg-deb",) if debs else ("apt-get", "dpkg-deb"):
        if packages and shutil.which(tool) is None:
            raise PreparationError(
                f"{tool} is not on this machine, and {len(packages)} packages are Debian's; run "
                "this on Debian or Ubuntu (--debs FOLDER uses .deb files that you have)"
            )
    with tempfile.TemporaryDirectory() as workspace:
        found = {}
        for package in tqdm(packages, desc="Debian packages", unit="package"):
            name = package["name"]
            if debs is None:
                advice = "Is the list of packages there? Try: apt-get update"
                _run(["apt-get", "download", name], Path(workspace), advice)
            files = sorted((debs or Path(workspace)).glob(f"{name}_*.deb"))
            if len(files) != 1:
                raise PreparationError(
                    f"expected one {name}_*.deb in {debs or workspace}, found {len(files)}"
                )
            found[name] = Path(workspace, name)
            advice = "Is the file whole?"
            _run(["dpkg-deb", "-x", str(files[0].resolve()), name], Path(workspace), advice)
        yield found


def _packages(chosen: Sequence[Entry], kind: str) -> list[Entry]:
    named = {entry["package"]["name"]: entry["package"] for entry in chosen}
    return [package for package in named.values() if package["kind"] == kind]


def _run(command: list[str], folder: Path, advice: str) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise PreparationError(f"{' '.join(command)} failed: {result.stderr.strip()}\n{advice}")


def _file(entry: Entry, places: dict[str, Path]) -> Path:
    package = entry["package"]
    path = places[package["name"]] / entry["file"]
    if not path.is_file():
        raise PreparationError(
            f"{package['name']} has no {entry['file']} (looked for {path}); "
            f"expected it in {package.get('requirement', 'the version of Debian 12')}"
        )
    return path


def _reduced(photo: np.ndarray, limit: int, side: Callable[[tuple[int, ...]], int]) -> np.ndarray:
    """Reduce a photograph until its longer (side=max) or shorter (min) side is `limit`."""
    scale = limit / side(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(1, round(length * scale)) for length in photo.shape[:2])
    return np.array(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))


def _write(path: Path, photo: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(path, photo)


def _build(
    out: Path,
    parameters: Entry,
    chosen: Sequence[Entry],
    fill: Callable[[Path], None],
    force: bool,
) -> bool:
    """Make a set aside and move it into place, unless it is there; returns whether it was made."""
    out = out.resolve()
    stale = _why_stale(out, parameters)
    if stale is None and not force:
        print(f"{out} is complete (--force makes it anew)")
        return False
    if stale:
        print(f"{out} is made anew: {stale}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as workspace:
        fresh = Path(workspace, "fresh")
        fresh.mkdir()
        fill(fresh)
        photographs = [
            {k: entry[k] for k in ("id", "scene", "split")}
            | {k: entry["package"][k] for k in ("name", "licence", "credit")}
            for entry in chosen
        ]
        digests = {name: _digest((fresh / name).read_bytes()) for name in _files(fresh)}
        manifest = {"parameters": parameters, "photographs": photographs, "files": digests}
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (fresh / MANIFEST).write_text(text + "\n", encoding="utf-8")
        if out.exists():
            out.rename(Path(workspace, "stale"))
        fresh.rename(out)
    for folder in sorted({str(Path(name).parent) for name in digests}):
        print(f"{out / folder}: {len(list_photos(out / folder))} photographs")
    return True


def _why_stale(out: Path, parameters: Entry) -> str | None:
    """Why a set must be made: "" where there is none, None where it is complete.

    Raises:
        PreparationError: The folder holds what this tool did not make, and must not remove.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return ""
    advice = "choose another --out, or move it away"
    if not (out / MANIFEST).is_file():
        raise PreparationError(f"{out} is there and was not made by this tool; {advice}")
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        made_with, files = manifest["parameters"], manifest["files"]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{out / MANIFEST} is not a manifest of this tool; {advice}"
        raise PreparationError(message) from error
    present = set(_files(out)) - {MANIFEST}
    if foreign := sorted(present - set(files)):
        raise PreparationError(
            "\n".join([f"{out} has {len(foreign)} files of others:", *_first(foreign), advice])
        )
    changed = [key for key in parameters if made_with.get(key) != parameters[key]]
    if changed:
        return f"it was made with other {', '.join(changed)}"
    damaged = [n for n in files if n not in present or _digest((out / n).read_bytes()) != files[n]]
    return f"{len(damaged)} files are missing or changed, as {damaged[0]}" if damaged else None


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _first(items: Sequence[object]) -> list[str]:
    more = [f"  and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return [f"  {item}" for item in items[:_SHOWN]] + more


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number, 1 or more")
    return int(text)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    summary, _, details = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    how = argparse.ArgumentDefaultsHelpFormatter

    demo = commands.add_parser(
        "demo",
        formatter_class=how,
        help="make a BAID-shaped set from photographs of pip packages",
        description="Make train/backlit, train/well-lit, test/resize_input and test/resize_gt "
        "from photographs of pip packages, with synthetic backlight; no scene is in both.",
    )
    demo.add_argument("--out", type=Path, default=Path("data/demo"), help="folder to make")
    demo.add_argument("--size", type=_count, default=384, help="long side in pixels")
    demo.add_argument(
        "--variants", type=_count, default=3, help="backlit versions of each training photograph"
    )
    demo.add_argument("--seed", type=int, default=0, help="decides the backlight")

    clip = commands.add_parser(
        "lighting-clip",
        formatter_class=how,
        help="collect the photographs behind the bundled CLIP",
        description="Collect train/ID.png and test/ID.png from pip and Debian packages, "
        f"reduced to a short side of {CLIP_SHORT_SIDE} pixels.",
    )
    clip.add_argument("--out", type=Path, default=Path("data/lighting_clip"), help="folder to make")
    clip.add_argument("--debs", type=Path, help="folder of .deb files to use instead of apt-get")
    for command in (demo, clip):
        command.add_argument("--force", action="store_true", help="make it anew if it is complete")

    checking = commands.add_parser(
        "check",
        help="read your own folders as training would: BAID, LOL-v1, DIV2K, ...",
        description="Read every photograph, print counts and duplicates left out, and name what "
        "is unreadable, without partner, doubled or of another size than its partner.",
    )
    checking.add_argument("backlit", type=Path, help="folder of backlit photographs")
    checking.add_argument("well_lit", type=Path, help="folder of well-lit photographs")
    checking.add_argument(
        "--unpaired", action="store_true", help="the folders show different scenes"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    given = _arguments(arguments)
    try:
        if given.command == "demo":
            make_demo(given.out, given.size, given.variants, given.seed, given.force)
        elif given.command == "lighting-clip":
            make_lighting_clip(given.out, given.debs, given.force)
        else:
            print(check(given.backlit, given.well_lit, given.unpaired))
    except (PreparationError, UnreadablePhotoError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
