"""What tells the runs of grids apart."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.runtime.file_hash import file_sha256

_FOLDERS = ("backlit", "well_lit")


def settings_key(config: Config, sha256: Callable[[Path], str] = file_sha256) -> str:
    """A hash of what decides a run: its config, the bundled CLIP, its photos and other files.

    Of the photos the names and sizes, wherever the config names a folder as `backlit`, `well_lit`,
    or as `data_root` beside a `data_prefix`; of every other file that a setting names, as a
    residual vector or weights, the contents. Not of this package's code: after a change of it,
    begin in another folder.

    Args:
        config: complete.
        sha256: of a file's contents; one that remembers, for many configs that name the same.

    Returns:
        12 hexadecimal digits.
    """
    settings = config.to_dict()
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=repr).encode())
    for path in (*sorted(BUNDLED_FOLDER.iterdir()), *sorted(set(_files(settings)))):
        digest.update(sha256(path).encode())
    for folder in sorted(set(_folders(settings))):
        for photo in sorted(_listed(Path(folder)).rglob("*")):
            if photo.is_file():
                digest.update(f"{photo} {photo.stat().st_size}".encode())
    return digest.hexdigest()[:12]


def _folders(part: Any) -> Iterator[str]:
    """The folders of photos in a part of a config; a pattern may stand behind one."""
    if isinstance(part, dict):
        if "data_prefix" in part and isinstance(part.get("data_root"), str):
            yield part["data_root"]
        for key, value in part.items():
            if key in _FOLDERS and isinstance(value, str):
                yield value
            else:
                yield from _folders(value)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _folders(item)


def _listed(folder: Path) -> Path:
    """What to look into: a folder, or the one before a pattern."""
    pattern = not folder.is_dir() and any(sign in folder.name for sign in "*?[")
    return folder.parent if pattern else folder


def _files(part: Any) -> Iterator[Path]:
    """The files that are there of those that a part of a config names."""
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for item in part:
            yield from _files(item)
    # Path.is_file() raises where a text is too long for a name.
    elif isinstance(part, str) and Path(part).suffix and os.path.isfile(part):  # noqa: PTH113
        yield Path(part)
