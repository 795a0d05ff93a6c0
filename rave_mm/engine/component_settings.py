"""What the components of a config can be told, and whether they are told anything else."""

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

from mmagic import registry as mmagic_registry
from mmengine.config import Config
from mmengine.registry import Registry
from torch.utils.data import DataLoader
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type
from typing_extensions import Unpack

from rave_mm.runtime.setting_error import SettingError

_SCOPES = ("", "mmagic", "rave_mm")
# Read by MMEngine before it builds the component.
_OF_ALL = {"type", "_scope_", "priority"}
_OF_LOADERS = {"dataset", "sampler", "batch_sampler", "collate_fn", "worker_init_fn"}
_OF_OPTIMIZERS = {"constructor", "paramwise_cfg"}
_NAMES_CHECKED = ("rave_mm.", "torch.optim.", "mmagic.", "mmcv.")
# MMagic annotates more loosely than it works.
_TYPES_CHECKED = ("rave_mm.", "torch.optim.")


def check_components(config: Config) -> None:
    """Refuse what MMagic's and this package's components and the optimizers would not understand.

    Raises:
        SettingError: A setting that a component does not have, or of another type; named by its
            place in the config.
    """
    for place, settings in components(config.to_dict()):
        kind = component(settings)
        if kind is None or not kind.__module__.startswith(_NAMES_CHECKED):
            continue
        known = names_of_settings(settings)
        hints = _types(kind) if kind.__module__.startswith(_TYPES_CHECKED) else {}
        for name, value in settings.items():
            if known is not None and name not in known:
                raise SettingError(
                    f"{place}.{name}: {kind.__name__} has no setting {name}"
                    + did_you_mean(name, known)
                )
            if name in hints and not _fits(value, hints[name]):
                raise SettingError(
                    f"{place}.{name}: got {value!r}, expected {_in_words(hints[name])}"
                )


def components(value: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All settings with a `type`, with their places, as `model.losses.guidance`."""
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        if "type" in value:
            yield place, value
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    for name, part in parts:
        yield from components(part, f"{place}.{name}" if place else str(name))


def component(settings: Mapping[str, Any]) -> type | None:
    """The class that the `type` names; None where it is not registered (yet), or no class."""
    kind = settings.get("type")
    if isinstance(kind, str):
        scope, _, name = kind.rpartition(".")
        found = (r.module_dict[name] for r in _registries() if name in r.module_dict)
        kind = next(found, None) if scope in _SCOPES else None
    return kind if isinstance(kind, type) else None


def names_of_settings(settings: Mapping[str, Any]) -> list[str] | None:
    """What can stand in these settings; None where that cannot be told."""
    kind = component(settings)
    if "type" not in settings and "dataset" in settings:
        kind = DataLoader
    if kind is None:
        return None
    parameters = signature(kind).parameters.values()
    named = {each.name for each in parameters if each.kind is not Parameter.VAR_KEYWORD}
    more = _typed_settings(kind) if kind.__module__.startswith("rave_mm.") else {}
    if len(named) < len(parameters) and not more:
        return None
    names = named | {*more} | _OF_ALL
    if kind is DataLoader:
        names |= _OF_LOADERS
    if "optimizer" in names:
        names |= _OF_OPTIMIZERS
    return sorted(names)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Words to go on with after an unknown name."""
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else f"; it has {', '.join(known)}"


def _types(kind: Any) -> dict[str, Any]:
    """The annotation of each setting."""
    return typing.get_type_hints(kind.__init__) | _typed_settings(kind)


def _typed_settings(kind: Any) -> dict[str, Any]:
    """What `**settings: Unpack[a TypedDict]` takes, with the annotations."""
    hints = typing.get_type_hints(kind.__init__).values()
    unpacked = [typing.get_args(hint)[0] for hint in hints if typing.get_origin(hint) is Unpack]
    return typing.get_type_hints(unpacked[0]) if unpacked else {}


def _registries() -> Iterator[Registry]:
    for name in mmagic_registry.__all__:
        registry = getattr(mmagic_registry, name)
        yield registry
        if registry.parent is not None:
            yield registry.parent


def _fits(value: Any, hint: Any) -> bool:
    # A config has lists where Python has tuples, and dicts where a component is to be built.
    candidates = [value, tuple(value)] if isinstance(value, list) else [value]
    for each in candidates:
        try:
            check_type(each, hint, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
        except TypeCheckError:
            continue
        return True
    return False


def _in_words(hint: Any) -> str:
    """The annotation as it is written, without the modules, in every Python."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(map(_in_words, typing.get_args(hint)))
    if hint is type(None):
        return "None"
    text = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    for module in ("collections.abc.", "typing."):
        text = text.replace(module, "")
    return text
