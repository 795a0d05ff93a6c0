"""MMEngine's Runner, whose log begins on the screen with the first line that matters."""

import logging

from mmengine.logging import MMLogger
from mmengine.runner import Runner

# Pages about the machine, all settings and all hooks; warnings that MMEngine gives itself; and
# what MMagic says of training photographs that have no ground truth, as those of the papers.
_FOR_THE_FILE = (
    "\n" + "-" * 60 + "\nSystem environment:",
    "Config:\n",
    "Hooks will be executed in the following order:",
    "Distributed training is not used, all SyncBatchNorm",
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    "The prefix is not set in metric class",
    "Cannot find key 'gt_img' in data sample.",
)


def matters_on_screen(record: logging.LogRecord) -> bool:
    """Whether a line of MMEngine's log is for the screen too, not for the file alone."""
    return not record.getMessage().startswith(_FOR_THE_FILE)


class QuietRunner(Runner):
    """Keeps what fills pages off the screen; the log file has it."""

    def build_logger(self, *args: object, **settings: object) -> MMLogger:
        """Build the logger, as MMEngine does."""
        logger = super().build_logger(*args, **settings)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(matters_on_screen)
        return logger
