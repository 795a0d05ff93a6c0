"""What is no longer as it was when a checkpoint was written."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

# Where a run is, and how it was started, is no setting of what it computes.
_NOT_OF_THE_TRAINING = ("work_dir", "load_from", "resume", "launcher")
_PHOTOS = re.compile(r"(train_dataloader|train_cfg\.loaders\.\w+)\.(sampler|dataset\.(?!pipeline))")
_PHASE = re.compile(
    r"train_cfg\.phases\.(\d+)\.(?:phases\.\d+\.)?(name|rounds|trains|loader|iterations)$"
)
_GONE = object()


def changed_settings(before: str, now: Config) -> dict[str, str]:
    """Compare the config of a checkpoint with today's.

    Args:
        before: The config's text, as MMEngine stores it. It is read, not run.
        now: The config that training goes on with.

    Returns:
        For each setting that differs, by its full name, what it was and what it is.
    """
    old, new = (dict(_flat(read_settings(text))) for text in (before, now.pretty_text))
    return {
        name: f"{_told(old.get(name, _GONE))} before, {_told(new.get(name, _GONE))} now"
        for name in dict.fromkeys([*old, *new])
        if name.partition(".")[0] not in _NOT_OF_THE_TRAINING
        and old.get(name, _GONE) != new.get(name, _GONE)
    }


def settings_of_the_place(changed: Iterable[str], before: str, phase: str) -> list[str]:
    """Those changed settings after which a checkpoint's place means nothing any more.

    That is its place in the schedule, in the order of the photos, and in that of random numbers.

    Args:
        changed: Full names of settings.
        before: The checkpoint's config, as for :func:`changed_settings`.
        phase: The name of the phase that the checkpoint is in.
    """
    parts = read_settings(before).get("train_cfg", {}).get("phases", [])
    names = [[each["name"] for each in part.get("phases", [part])] for part in parts]
    here = next((i for i, within in enumerate(names) if phase in within), 0)
    return [name for name in changed if _is_of_the_place(name, here)]


def _is_of_the_place(name: str, here: int) -> bool:
    if name.startswith("randomness.seed") or _PHOTOS.match(name):
        return True
    phase = _PHASE.match(name)
    # More or fewer iterations of the phase that it is in are for the schedule to judge.
    return phase is not None and (
        int(phase[1]) < here or (int(phase[1]) == here and phase[2] != "iterations")
    )


def read_settings(text: str) -> dict[str, Any]:
    """The values of a config's text without running it; what is no plain value stays as text.

    Raises:
        SyntaxError: It is no Python.
    """
    return {
        statement.targets[0].id: _value(statement.value)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return {each.arg: _value(each.value) for each in node.keywords if each.arg}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {str(_value(key)): _value(each) for key, each in pairs if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(each) for each in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        parts: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        parts = iter(enumerate(value))
    else:
        yield name, value
        return
    for key, each in parts:
        yield from _flat(each, f"{name}.{key}" if name else str(key))


def _told(value: Any) -> str:
    if value is _GONE:
        return "not there"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
