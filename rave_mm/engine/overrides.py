"""Settings that the command line puts in place of a config's: `--cfg-options KEY=VALUE`."""

import argparse
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from rave_mm.engine.component_settings import did_you_mean, names_of_settings
from rave_mm.runtime.setting_error import SettingError


def override(config: Config, texts: Sequence[str]) -> None:
    """Put settings in the place of a config's.

    Args:
        config: It is changed.
        texts: As `model.generator.side=96`, with values as MMEngine's DictAction reads them.

    Raises:
        SettingError: One that nobody would read; MMEngine would add it to the config all the same.
    """
    if not texts:
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", nargs="*", action=DictAction, default={})
    settings: dict[str, Any] = parser.parse_args(["--", *texts]).settings
    for key in settings:
        _check(key, config, settings)
    config.merge_from_dict(settings)


def _check(key: str, config: Config, settings: Mapping[str, Any]) -> None:
    parts = key.split(".")
    place: Any = config._cfg_dict
    for depth, part in enumerate(parts):
        outer = ".".join(parts[:depth]) or "the config"
        here = ".".join(parts[: depth + 1])
        if isinstance(place, list | tuple):
            if not part.isdigit() or int(part) >= len(place):
                raise SettingError(
                    f"--cfg-options {key}: got {part!r}, expected a number below {len(place)}, "
                    f"since {outer} is a list"
                )
            place = place[int(part)]
        elif not isinstance(place, Mapping) or f"{outer}.type" in settings:
            return  # what was no dict before, or is to be another component
        elif part in place:
            place = place[part]
        else:
            known = _known(place, depth)
            if known is not None and part in known:
                return
            if known is None and not get_close_matches(part, map(str, place), 1):
                whole = depth == len(parts) - 1
                if whole or f"{here}.type" in settings:
                    return  # a value that its reader may know, or a component more
            raise SettingError(
                f"--cfg-options {key}: {outer} has no {part}"
                + did_you_mean(part, known if known is not None else map(str, place))
            )


def _known(place: Mapping[str, Any], depth: int) -> list[str] | None:
    if depth == 0:
        return [*place, *signature(Runner).parameters]
    return names_of_settings(place)
