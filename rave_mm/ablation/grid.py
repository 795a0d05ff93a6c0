"""From a config's `ablation` to the runs that it asks for."""

import ast
import copy
import functools
import inspect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from rave_mm.ablation.settings_key import settings_key
from rave_mm.runtime.file_hash import file_sha256

# A word, or a list with the commas in it.
_VALUE = re.compile(r"\[[^\]]*\]|\([^)]*\)|[^,\[\](]+")

# What is read of a config: its other top-level keys are variables, for use within it.
_READ = {
    *inspect.signature(Runner.__init__).parameters,
    "activation_checkpointing",
    "compile",
    "custom_imports",
    "efficient_conv_bn_eval",
    "find_unused_parameters",
    "model_wrapper_cfg",
    "sync_bn",
    "test_metrics",
}


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
    """Complete; without `ablation`, `work_dir` and variables that begin with an underscore."""
    key: str
    """Its :func:`settings_key`: equal runs of any grid share it."""

    @property
    def name(self) -> str:
        return f"{', '.join(self.labels)}, seed {self.seed}"


def read_grid(config: Config, vary: Sequence[str] = (), seeds: Sequence[int] | None = None) -> Grid:
    """The grid of a config's `ablation`, or what a command line says in its place.

    Args:
        config: with an `ablation`, unless there is something to vary.
        vary: `KEY=VALUE,VALUE`, one axis each, in place of the config's axes. Values are read as
            Python where they can be, lists included, and as words where not.
        seeds: in place of the config's; `seed_keys` stay the config's.

    Raises:
        ValueError: nothing to vary, or an argument that is not of that form.
    """
    settings = {"axes": {}, **config.get("ablation", {})}
    if vary:
        settings["axes"] = dict(map(_axis, vary))
    if seeds:
        settings["seeds"] = seeds
    return Grid(**settings)


def _axis(argument: str) -> tuple[str, dict[str, dict[str, Any]]]:
    key, _, listed = argument.partition("=")
    values = _VALUE.findall(listed)
    if not key or not values or ",".join(values) != listed:
        raise ValueError(f"--vary: got {argument!r}, expected KEY=VALUE,VALUE")
    return key, {value: {key: _value(value)} for value in values}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if text[0] in "[(":
            raise ValueError(
                f"--vary: got {text}, expected a list as Python writes it, its words in quotes"
            ) from None
        return text


def plan_runs(config: Config, grid: Grid) -> Iterator[Run]:
    """All runs of a grid, seeds innermost.

    Raises:
        ValueError: a key names a part that the config does not have.
    """
    known = config.to_dict()
    sha256 = functools.cache(file_sha256)  # weights are large, and all runs have the same
    for chosen in itertools.product(*(axis.items() for axis in grid.axes.values())):
        for seed in grid.seeds:
            varied = Config({key: value for key, value in known.items() if not _aside(key)})
            for options in (
                *(options for _, options in chosen),
                dict.fromkeys(grid.seed_keys, seed),
            ):
                for name in options:
                    _check_key(known, name)
                # Merging takes `_delete_` out of what it is given, and the next seed needs it too.
                varied.merge_from_dict(copy.deepcopy(dict(options)))
            key = settings_key(varied, sha256)
            yield Run(tuple(label for label, _ in chosen), seed, varied, key)


def _aside(key: str) -> bool:
    """Whether a top-level key decides nothing, as a config's own variables."""
    return key in ("ablation", "work_dir") or key.startswith("_")


def _check_key(config: dict[str, Any], key: str) -> None:
    """Refuse what MMEngine would add without effect; a new setting of a part may be one."""
    *parents, last = key.split(".")
    first = (parents or [last])[0]
    if first in config and first not in _READ:
        raise ValueError(
            f"{key}: {first} is a variable of the config, which decides nothing once the config is "
            "read; vary the parts that it is used in, as model.losses.NAME.SETTING"
        )
    part: Any = config
    for depth, name in enumerate(parents or [last]):
        if name not in _parts(part):
            at = ".".join(parents[:depth]) or "the config"
            raise ValueError(
                f"{key}: {at} has no {name!r}; it has {', '.join(_parts(part)) or 'no parts'}"
            )
        part = part[int(name)] if isinstance(part, (list, tuple)) else part[name]
    if parents and not isinstance(part, (list, tuple, Mapping)):
        raise ValueError(f"{key}: {'.'.join(parents)} is {part!r}, which has no parts")


def _parts(part: Any) -> list[str]:
    if isinstance(part, (list, tuple)):
        return list(map(str, range(len(part))))
    return list(part) if isinstance(part, Mapping) else []
