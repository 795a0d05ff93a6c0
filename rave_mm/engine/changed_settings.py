"""What is no longer as it was when a checkpoint was written."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

# Where a run is, and how it was started, is no setting of what it computes.
_NOT_OF_THE_TRAINING = ("work_dir", "load_from", "resume", "launcher")
_SHOWN = 20
_GONE = object()


def changed_settings(before: str, now: Config) -> list[str]:
    """Compare the config of a checkpoint with today's.

    Args:
        before: The config's text, as MMEngine stores it. It is read, not run.
        now: The config that training goes on with.

    Returns:
        A line for each setting that differs, with its full name; no more than twenty, and how many
        there are beside.
    """
    old, new = (dict(_flat(read_settings(text))) for text in (before, now.pretty_text))
    lines = [
        f"{name}: {_told(old.get(name, _GONE))} before, {_told(new.get(name, _GONE))} now"
        for name in dict.fromkeys([*old, *new])
        if name.partition(".")[0] not in _NOT_OF_THE_TRAINING
        and old.get(name, _GONE) != new.get(name, _GONE)
    ]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [*lines[:_SHOWN], *more]


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
