"""Log lines that name the phase."""

import re
from typing import Any

from mmengine.registry import LOG_PROCESSORS
from mmengine.runner import LogProcessor, Runner


@LOG_PROCESSORS.register_module()
class PhasedLogProcessor(LogProcessor):
    """MMEngine's, with `phase refinement, round 2` in front of what that logs as numbers.

    `PhasedTrainLoop` logs the numbers, with any log processor; in JSON and TensorBoard they stay.
    """

    def get_log_after_iter(
        self, runner: Runner, batch_idx: int, mode: str
    ) -> tuple[dict[str, Any], str]:
        """The values of the iteration and the line, as MMEngine's."""
        values, line = super().get_log_after_iter(runner, batch_idx, mode)
        if mode == "train":
            phase = runner.message_hub.get_info("phase")
            line = re.sub(r"\bphase: \d+  (round: \d+  )?", "", line, count=1)
            line = line.replace("]  ", f"]  phase {phase}  ", 1)
        return values, line
