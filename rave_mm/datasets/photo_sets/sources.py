"""The photographs that come with packages, which photographs.json lists, and where they lie."""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rave_mm.datasets.photo_sets import PreparationError

PHOTOGRAPHS = Path(__file__).with_name("photographs.json")
"""Each with its package, licence, scene and splits."""

Entry = dict[str, Any]


def chosen_photographs(purpose: str) -> list[Entry]:
    """The photographs of one purpose, each with its "split" and its package's record.

    Args:
        purpose: "demo" or "clip".

    Raises:
        PreparationError: A scene is in training and testing.
    """
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


def pip_folders(chosen: Sequence[Entry]) -> dict[str, Path]:
    """Where the pip packages lie that the photographs come from, by the packages' names.

    Raises:
        PreparationError: Some are not installed; says how to install them.
    """
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
def debian_folders(chosen: Sequence[Entry], debs: Path | None) -> Iterator[dict[str, Path]]:
    """Unpack the Debian packages that the photographs come from, for as long as needed.

    Args:
        chosen: The photographs.
        debs: Folder with the .deb files, or None to fetch them with apt-get.

    Yields:
        Where each lies, by its name.

    Raises:
        PreparationError: One is not there or not whole, or this is no Debian.
    """
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


def photograph_file(entry: Entry, places: dict[str, Path]) -> Path:
    """Where a photograph lies, in the folders of the packages by their names."""
    package = entry["package"]
    path = places[package["name"]] / entry["file"]
    if not path.is_file():
        raise PreparationError(
            f"{package['name']} has no {entry['file']} (looked for {path}); "
            f"expected it in {package.get('requirement', 'the version of Debian 12')}"
        )
    return path


def _packages(chosen: Sequence[Entry], kind: str) -> list[Entry]:
    named = {entry["package"]["name"]: entry["package"] for entry in chosen}
    return [package for package in named.values() if package["kind"] == kind]


def _run(command: list[str], folder: Path, advice: str) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise PreparationError(f"{' '.join(command)} failed: {result.stderr.strip()}\n{advice}")
