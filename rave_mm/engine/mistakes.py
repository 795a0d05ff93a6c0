"""How a tool ends where what its user gave is to blame: in a paragraph, not in a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rave_mm.networks.published_checkpoints import UnknownCheckpointError
from rave_mm.photos.errors import PhotoFolderError, UnreadablePhotoError
from rave_mm.runtime.setting_error import SettingError

STATUS = 2

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
    """

    def __init__(self, tool: str, traceback: bool = False) -> None:
        self.tool = tool
        self.traceback = traceback

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell of files, folders and settings that are not what they should be; raise all else."""
        try:
            yield
        except _MISTAKES as error:
            self._tell(str(error), error)

    @contextmanager
    def of_the_config_told(self) -> Iterator[None]:
        """Tell of whatever is raised, while things are built as the config says."""
        try:
            yield
        except Exception as error:  # whatever a component says of its settings
            built = (
                f"the config cannot be built (--traceback shows where): {type(error).__name__}: "
            )
            self._tell(("" if isinstance(error, _MISTAKES) else built) + str(error), error)

    def _tell(self, text: str, error: Exception) -> NoReturn:
        if self.traceback:
            raise error
        told = f"{self.tool}: {text}"
        print(told, file=sys.stderr, flush=True)
        raise ToldMistake(told) from error
