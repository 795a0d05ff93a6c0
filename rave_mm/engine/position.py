"""Where training is in its schedule, and what follows from the values of an iteration."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rave_mm.engine.phase import BEST_WINDOW, Phase
from rave_mm.engine.schedule import Schedule, Step


@dataclass(frozen=True)
class Outcome:
    """What an iteration brought about."""

    is_best: bool = False
    """The weights as they are now are the phase's best so far: keep a copy."""
    restarts: bool = False
    """What the phase trains is to start anew."""
    ends: bool = False
    """The phase has ended with this iteration."""
    report: str = ""
    """A line for the log, where something happened."""


class Position:
    """Where training is: the state machine behind `PhasedTrainLoop`.

    It depends on nothing but the schedule and the values that :meth:`advance` was told, so
    processes that tell it the same go the same way.

    Args:
        schedule: what runs when; it begins at its beginning.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._begin(0)

    def _begin(self, index: int, restarts: int = 0) -> None:
        self.index = index
        self.restarts = restarts
        """How often this phase has started anew in this round."""
        self.iteration = 0
        """How many iterations of the phase are done."""
        self.prolonged = 0
        """By how many iterations the phase was prolonged."""
        self.best: float | None = None
        """The least mean of the value that `keep_best` names."""
        self._recent: dict[str, list[float]] = {}

    @property
    def step(self) -> Step:
        """The phase and round."""
        return self.schedule.steps[self.index]

    @property
    def phase(self) -> Phase:
        """The phase of the next iteration; once training has finished, the last one."""
        return self.step.phase

    @property
    def length(self) -> int:
        """How many iterations the phase has, with what prolonged it."""
        return self.phase.iterations + self.prolonged

    @property
    def remaining(self) -> int:
        """How many iterations are left, as far as is known now."""
        later = self.schedule.steps[self.index + 1 :]
        return self.length - self.iteration + sum(step.phase.iterations for step in later)

    @property
    def finished(self) -> bool:
        """Whether nothing is left."""
        return self.remaining == 0

    def advance(self, values: Mapping[str, float]) -> Outcome:
        """Go on by one iteration.

        Args:
            values: what the iteration logged; at least what the phase's conditions look at.

        Raises:
            ValueError: a condition looks at what is not among the values.
            FloatingPointError: a value that a condition looks at is not a number.
            RuntimeError: the phase has collapsed once more than it may start anew.
        """
        self.iteration += 1
        self._note(values)
        restart, step = self.phase.restart, self.step
        if restart and self.iteration >= restart.after:
            mean, described = self._mean(restart.value, restart.window)
            if mean < restart.below:
                why = f"{described}, below {restart.below:g}"
                if self.restarts == restart.at_most:
                    raise RuntimeError(
                        f"phase {step} collapsed again after {restart.at_most} restarts: {why}. "
                        "Lower the learning rate, start the network otherwise (LightMapUNet("
                        "start='identity')), or change the phase's restart"
                    )
                self._begin(self.index, self.restarts + 1)
                number = f"restart {self.restarts} of at most {restart.at_most}"
                return Outcome(restarts=True, report=f"phase {step} starts anew ({number}): {why}")
        is_best = self._is_best()
        if self.iteration < self.length:
            return Outcome(is_best)
        return self._at_the_end(is_best)

    def _at_the_end(self, is_best: bool) -> Outcome:
        prolong, step, best = self.phase.prolong, self.step, self.best
        report = f"phase {step} ends after {self.iteration} iterations"
        if prolong:
            mean, described = self._mean(prolong.value, prolong.window)
            more = min(prolong.iterations, prolong.at_most - self.prolonged)
            if mean > prolong.above and more > 0:
                self.prolonged += more
                report = (
                    f"phase {step} goes on for {more} iterations ({self.prolonged} of at most "
                    f"{prolong.at_most}): {described}, above {prolong.above:g}"
                )
                return Outcome(is_best, report=report)
            if mean > prolong.above:
                report += f", prolonged as far as it may be: {described}"
        if best is not None:
            report += f", with its best weights: mean {self.phase.keep_best} {best:.4g}"
        # The last phase stays, so that a longer schedule can go on with it.
        if not self.finished:
            self._begin(self.index + 1)
        return Outcome(is_best, ends=True, report=report)

    def _note(self, values: Mapping[str, float]) -> None:
        for name, window in self.phase.watched.items():
            if name not in values:
                raise ValueError(
                    f"phase {self.step}: got a condition on {name!r}, expected one of what the "
                    f"model logs in this phase: {', '.join(sorted(values))}"
                )
            value = float(values[name])
            if math.isnan(value):
                raise FloatingPointError(
                    f"phase {self.step}: {name}, which a condition looks at, is not a number"
                )
            self._recent[name] = [*self._recent.get(name, []), value][-window:]

    def _mean(self, name: str, window: int) -> tuple[float, str]:
        """The mean of the last values of the phase, and words for it."""
        recent = self._recent[name][-window:]
        mean = sum(recent) / len(recent)
        return mean, f"the mean {name} of {len(recent)} iterations is {mean:.4g}"

    def _is_best(self) -> bool:
        name = self.phase.keep_best
        if name is None or self.iteration < min(BEST_WINDOW, self.phase.iterations):
            return False
        mean, _ = self._mean(name, BEST_WINDOW)
        if self.best is not None and mean >= self.best:
            return False
        self.best = mean
        return True

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs, of plain types."""
        return {
            "phase": self.phase.name,
            "round": self.step.round,
            "iteration": self.iteration,
            "prolonged": self.prolonged,
            "restarts": self.restarts,
            "best": self.best,
            "recent": {name: list(values) for name, values in self._recent.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where another position was.

        The schedule may have changed since, but it must still have the phase, with as many
        iterations as were done.

        Raises:
            ValueError: it has not.
        """
        places = [(step.phase.name, step.round) for step in self.schedule.steps]
        place = (state["phase"], state["round"])
        if place not in places:
            raise ValueError(
                f"the checkpoint is in phase {place[0]!r}, round {place[1]}, expected one of this "
                f"schedule: {_listed(self.schedule.steps)}. Resume with the schedule that it was "
                "trained with, or start from its weights alone (load_from without resume)"
            )
        self._begin(places.index(place), state["restarts"])
        self.iteration, self.prolonged = state["iteration"], state["prolonged"]
        self.best = state["best"]
        self._recent = {name: list(values) for name, values in state["recent"].items()}
        last = self.index == len(self.schedule.steps) - 1
        if self.iteration > self.length or (self.iteration == self.length and not last):
            raise ValueError(
                f"the checkpoint has done {self.iteration} iterations of phase {self.step}, but "
                f"this schedule gives it {self.length}: give it more, or resume with the schedule "
                "that the checkpoint was trained with"
            )


def _listed(steps: Sequence[Step]) -> str:
    """The steps' names, of many the first few."""
    names = [str(step) for step in steps]
    return "; ".join(names if len(names) <= 6 else [*names[:5], f"... {names[-1]}"])
