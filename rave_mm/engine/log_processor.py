"""Log lines that name the phase."""

import re
from typing import Any

from mmengine.registry import LOG_PROCESSORS
from mmengine.runner import LogProcessor, Runner

_WINDOWS = 10


@LOG_PROCESSORS.register_module()
class PhasedLogProcessor(LogProcessor):
    """MMEngine's, with `phase refinement, round 2` in front of what that logs as numbers; an ETA.

    `PhasedTrainLoop` logs the numbers, with any log processor; in JSON and TensorBoard they stay.

    Of each value, ten windows are kept, not all as by MMEngine, which copies them in every
    iteration and into every checkpoint. What a `custom_cfg` asks for may lie further back, so with
    one all are.
    """

    def get_log_after_iter(
        self, runner: Runner, batch_idx: int, mode: str
    ) -> tuple[dict[str, Any], str]:
        """The values of the iteration and the line, as MMEngine's."""
        if not self.custom_cfg:
            for history in runner.message_hub.log_scalars.values():
                history.max_length = _WINDOWS * self.window_size
        # MMagic's timer tells what is left now and then, and a validation what training had left.
        seconds = runner.message_hub.get_scalar(f"{mode}/time").mean(self.window_size)
        if mode == "train":
            left = runner.max_iters - runner.iter - 1
        else:
            left = self._get_dataloader_size(runner, mode) - batch_idx - 1
        runner.message_hub.update_info("eta", round(seconds * left))
        values, line = super().get_log_after_iter(runner, batch_idx, mode)
        line = re.sub(r"\bphase: \d+  (round: \d+  )?", "", line, count=1)
        return values, _with_phase(line, runner, mode)

    def get_log_after_epoch(
        self, runner: Runner, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict[str, Any], str]:
        """The figures of a validation or test and the line, as MMEngine's."""
        values, line = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        return values, _with_phase(line, runner, mode)


def _with_phase(line: str, runner: Runner, mode: str) -> str:
    """Name the phase behind the place; a validation without training, or a test, is in none."""
    phase = runner.message_hub.get_info("phase")
    if mode == "test" or phase is None:
        return line
    return line.replace("]  ", f"]  phase {phase}  ", 1)
