"""The text of a config, which MMEngine writes into its logs and into every checkpoint."""

import functools
from collections.abc import Callable
from typing import Any

from mmengine.config import config as mmengine_config

_KEPT = 8
FormatCode = Callable[..., tuple[str, bool]]


def format_configs_once() -> None:
    """Let MMEngine keep the texts that it has formatted; may be called any number of times.

    Formatting a config with yapf takes 0.1 to 0.3 s. A training does so seven times before its
    first step, and again for every checkpoint, with the same text each time.
    """
    if not hasattr(mmengine_config.FormatCode, "__wrapped__"):
        mmengine_config.FormatCode = _once(mmengine_config.FormatCode)


def _once(format_code: FormatCode) -> FormatCode:
    """A function like yapf's that answers from memory where it was asked the same before."""
    kept: dict[tuple[str, str], tuple[str, bool]] = {}

    @functools.wraps(format_code)
    def formatted(text: str, **settings: Any) -> tuple[str, bool]:
        asked = (text, repr(settings))
        if asked not in kept:
            if len(kept) == _KEPT:
                kept.pop(next(iter(kept)))
            kept[asked] = format_code(text, **settings)
        return kept[asked]

    return formatted
