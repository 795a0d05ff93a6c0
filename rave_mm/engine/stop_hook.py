"""Saves before training ends, where the process is asked to end."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

_ASKED = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(Exception):  # noqa: N818 - nothing went wrong
    """Training was asked to end, and has saved.

    Attributes:
        signal: Which signal asked.
    """

    def __init__(self, asked: int, checkpoint: Path | None) -> None:
        self.signal = asked
        saved = "nothing was saved: the config has no CheckpointHook"
        if checkpoint is not None:
            saved = f"{checkpoint} is saved, and --resume goes on from it"
        super().__init__(f"training was stopped by {signal.Signals(asked).name}; {saved}")


class StopHook(Hook):
    """On Ctrl-C or SIGTERM: finish the iteration, save a checkpoint, and end.

    A second signal ends the process at once. Clusters send SIGTERM before they kill.

    Raises:
        TrainingStopped: From the iteration after which training ends.
    """

    priority = "LOWEST"  # the losses of the iteration are logged first

    def __init__(self) -> None:
        self._asked: int | None = None
        self._process = os.getpid()
        self._before: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Listen from now on; Python lets only the main thread do that."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._before = {each: signal.signal(each, self._note) for each in _ASKED}

    def after_train(self, runner: Runner) -> None:
        """Listen no longer."""
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _note(self, asked: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            # A worker of a loader, which has this handler from its parent. A terminal sends Ctrl-C
            # to both; the worker ends when the parent does.
            if asked == signal.SIGTERM:
                os._exit(128 + asked)
            return
        self._asked = asked
        for each in _ASKED:
            signal.signal(each, signal.SIG_DFL)
        print(
            f"\n{signal.Signals(asked).name}: training ends after this iteration, and saves first; "
            "once more ends it at once",
            flush=True,
        )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """End, where that was asked."""
        self._end(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """End, where that was asked: a validation may take long."""
        self._end(runner, runner.iter)

    def _end(self, runner: Runner, done: int) -> None:
        if self._asked is None:
            return
        self.after_train(runner)
        saved = None
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook):
                meta = {"epoch": runner.epoch, "iter": done}
                hook._save_checkpoint_with_step(runner, done, meta)
                saved = Path(hook.last_ckpt)
        raise TrainingStopped(self._asked, saved)
