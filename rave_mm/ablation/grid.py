"""From a config's `ablation` to the runs that it asks for."""

import ast
import copy
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from rave_mm.clip.weights import BUNDLED_FOLDER

_FOLDERS = ("backlit", "well_lit")


@dataclass(frozen=True)
class Grid:
    """What is varied.

    Raises:
        ValueError: nothing is varied, or there is no seed.
    """

    axes: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """By the axis' name and the setting's: what it sets, in the words of `--cfg-options`."""
    seeds: Sequence[int] = (0,)
    """Each setting is run once with each."""
    seed_keys: Sequence[str] = field(default=("randomness.seed",))
    """What the seed is given to."""

    def __post_init__(self) -> None:
        if not self.axes or not all(self.axes.values()) or not self.seeds:
            raise ValueError(
                f"an ablation needs axes with settings, and seeds; got axes {dict(self.axes)}, "
                f"seeds {list(self.seeds)}: put ablation=dict(axes=..., seeds=...) into the config "
                "or say --vary KEY=VALUE,VALUE"
            )


@dataclass(frozen=True)
class Run:
    """One point of a grid."""

    labels: tuple[str, ...]
    """The setting on each axis."""
    seed: int
    config: Config
    """Complete; without `ablation`, `work_dir` and variables."""
    key: str
    """A hash of the config, the bundled CLIP and the photos: equal runs of any grid share it."""

    @property
    def name(self) -> str:
        return f"{', '.join(self.labels)}, seed {self.seed}"


def read_grid(config: Config) -> Grid:
    """The grid of a config that has an `ablation`; ValueError where it has none."""
    return Grid(**config.get("ablation", {"axes": {}}))


def grid_from_options(vary: Sequence[str], seeds: Sequence[int] | None) -> Grid:
    """The grid of `KEY=VALUE,VALUE` arguments, one axis each.

    Values are read as Python where they can be, and as words where not.

    Raises:
        ValueError: an argument is not of that form.
    """
    axes = {}
    for argument in vary:
        key, equals, values = argument.partition("=")
        if not equals or not key or not values:
            raise ValueError(f"--vary: got {argument!r}, expected KEY=VALUE,VALUE")
        axes[key] = {value: {key: _value(value)} for value in values.split(",")}
    return Grid(axes, seeds or (0,))


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def plan_runs(config: Config, grid: Grid) -> Iterator[Run]:
    """All runs of a grid, seeds innermost.

    Raises:
        ValueError: a key names a part that the config does not have.
    """
    known = config.to_dict()
    for chosen in itertools.product(*(axis.items() for axis in grid.axes.values())):
        for seed in grid.seeds:
            varied = Config({key: value for key, value in known.items() if not _aside(key)})
            for options in (
                *(options for _, options in chosen),
                dict.fromkeys(grid.seed_keys, seed),
            ):
                for key in options:
                    _check_key(known, key)
                # Merging takes `_delete_` out of what it is given, and the next seed needs it too.
                varied.merge_from_dict(copy.deepcopy(dict(options)))
            yield Run(tuple(label for label, _ in chosen), seed, varied, settings_key(varied))


def _aside(key: str) -> bool:
    """Whether a top-level key decides nothing, as a config's own variables."""
    return key in ("ablation", "work_dir") or key.startswith("_")


def _check_key(config: dict[str, Any], key: str) -> None:
    """Refuse what MMEngine would add without effect; a new setting of a part may be one."""
    part: Any = config
    *parents, last = key.split(".")
    for depth, name in enumerate(parents or [last]):
        if isinstance(part, (list, tuple)):
            known = list(map(str, range(len(part))))
        else:
            known = list(part) if isinstance(part, Mapping) else []
        if name not in known:
            at = ".".join(parents[:depth]) or "the config"
            raise ValueError(
                f"{key}: {at} has no {name!r}; it has {', '.join(known) or 'no parts'}"
            )
        part = part[int(name)] if isinstance(part, (list, tuple)) else part[name]


def settings_key(config: Config) -> str:
    """A hash of all that decides a run: its config, the bundled CLIP, and its photos.

    Of the photos their names and sizes, wherever the config names a folder as `backlit` or
    `well_lit`.
    """
    settings = config.to_dict()
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=repr).encode())
    for source in sorted(BUNDLED_FOLDER.iterdir()):
        digest.update(source.read_bytes())
    for folder in sorted(set(_folders(settings))):
        path = Path(folder)
        listed = path if path.is_dir() else path.parent
        for photo in sorted(listed.rglob("*")):
            if photo.is_file():
                digest.update(f"{photo} {photo.stat().st_size}".encode())
    return digest.hexdigest()[:12]


def _folders(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in _FOLDERS and isinstance(value, str):
                yield value
            else:
                yield from _folders(value)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _folders(item)
