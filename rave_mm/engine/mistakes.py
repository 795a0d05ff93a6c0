"""How a tool ends where what its user gave is to blame: in a paragraph, not in a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any, NoReturn

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import build_from_cfg
from mmengine.registry.build_functions import build_scheduler_from_cfg

from rave_mm.engine.component_settings import components
from rave_mm.networks.published_checkpoints import UnknownCheckpointError
from rave_mm.photos.errors import (
    PhotoFolderError,
    UnreadablePhotoError,
    unreadable_in_worker,
)
from rave_mm.runtime.setting_error import SettingError

STATUS = 2
_BUILDERS = (build_from_cfg.__code__, build_scheduler_from_cfg.__code__)
_MISSING = object()

_MISTAKES = (
    OSError,
    UnreadablePhotoError,
    PhotoFolderError,
    UnknownCheckpointError,
    SettingError,
)


class ToldMistake(SystemExit):
    """The end of a tool that has said what was wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = STATUS


class Mistakes:
    """Ends a tool with a paragraph and exit status 2 where the user's mistake is met.

    Args:
        tool: Its name, in front of what is said.
        traceback: Raise instead, for whoever wants to see where (`--traceback`).

    Attributes:
        starting: Whether what is raised may still be for the config to mend; not any more once a
            first iteration is done (:class:`StartedHook`).
    """

    def __init__(self, tool: str, traceback: bool = False) -> None:
        self.tool = tool
        self.traceback = traceback
        self.starting = True

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell of files, folders and settings that are not what they should be; raise all else."""
        try:
            yield
        except _MISTAKES as error:
            self._tell(str(error), error)
        except RuntimeError as error:
            unreadable = unreadable_in_worker(error)
            if unreadable is None:
                raise
            self._tell(str(unreadable), error)

    @contextmanager
    def of_the_config_told(self, config: Config) -> Iterator[None]:
        """Tell of whatever is raised while things are built, and start, as the config says."""
        try:
            yield
        except Exception as error:  # whatever a component says of its settings
            if not self.starting:
                raise
            place = _place(error, config)
            text = f"{place}: {error}" if place else str(error)
            if not isinstance(error, _MISTAKES):
                kind = type(error).__name__
                text = f"it cannot start with this config (--traceback shows where): {kind}: {text}"
            self._tell(text, error)

    def _tell(self, text: str, error: Exception) -> NoReturn:
        if self.traceback:
            raise error
        told = f"{self.tool}: {text}"
        print(told, file=sys.stderr, flush=True)
        raise ToldMistake(told) from error


class StartedHook(Hook):
    """Notes that the first iteration is done."""

    def __init__(self, mistakes: Mistakes) -> None:
        self.mistakes = mistakes

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        """What is raised from now on is not for the config to mend."""
        self.mistakes.starting = False

    def after_test_iter(self, *_: Any, **__: Any) -> None:
        """As in training."""
        self.mistakes.starting = False


def _place(error: Exception, config: Config) -> str | None:
    """Where in the config the component stands that was being built, as `model.generator`."""
    # The innermost component first. MMEngine may have added settings of its own.
    building = [
        frame.f_locals["cfg"]
        for frame, _ in walk_tb(error.__traceback__)
        if frame.f_code in _BUILDERS
    ]
    known = list(components(config.to_dict()))
    for settings in reversed(building):
        for place, candidate in known:
            if all(settings.get(name, _MISSING) == value for name, value in candidate.items()):
                return place
    return None
