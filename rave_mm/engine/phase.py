"""A phase of training, and what prolongs it or lets it start anew."""

from dataclasses import dataclass
from typing import Any

BEST_WINDOW = 30
"""Over how many iterations `keep_best` averages; over the whole phase where that is shorter."""


def check_name(where: str, name: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: got {name}={value!r}, expected a name")


def check_number(where: str, name: str, value: Any) -> None:
    if type(value) not in (int, float):
        raise ValueError(f"{where}: got {name}={value!r}, expected a number")


def check_counts(where: str, settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if type(value) is not int or value < 1:
            raise ValueError(f"{where}: got {name}={value!r}, expected an integer, 1 or more")


@dataclass(frozen=True)
class Prolong:
    """A phase goes on for some more iterations where a value is still too high at its end.

    Raises:
        ValueError: a setting of another type or range.
    """

    value: str
    """Name of what is looked at, as the log has it: 'loss', 'loss_NAME', or what else is logged."""
    above: float
    """Prolong while the mean of the value is above this."""
    iterations: int
    """How many more, each time."""
    at_most: int
    """How many more in all."""
    window: int = 30
    """Over how many iterations the value is averaged."""

    def __post_init__(self) -> None:
        check_name("prolong", "value", self.value)
        check_number("prolong", "above", self.above)
        check_counts("prolong", self, "iterations", "at_most", "window")

    def __str__(self) -> str:
        return (
            f"{self.iterations} more while {self.value} > {self.above:g} "
            f"(at most {self.at_most} more)"
        )


@dataclass(frozen=True)
class Restart:
    """A phase starts anew, from other random weights, where a value tells that it collapsed.

    Raises:
        ValueError: a setting of another type or range.
    """

    value: str
    """Name of what is looked at, as for :class:`Prolong`."""
    below: float
    """Start anew where the mean of the value is below this."""
    after: int
    """From which iteration of the phase on to look."""
    window: int = 30
    """Over how many iterations the value is averaged."""
    at_most: int = 5
    """How often; another collapse ends training with an error."""

    def __post_init__(self) -> None:
        check_name("restart", "value", self.value)
        check_number("restart", "below", self.below)
        check_counts("restart", self, "after", "window", "at_most")

    def __str__(self) -> str:
        return (
            f"anew if {self.value} < {self.below:g} from iteration {self.after} on "
            f"(at most {self.at_most} times)"
        )


@dataclass(frozen=True)
class Phase:
    """A stretch of training.

    Raises:
        ValueError: a setting of another type or range, a condition on a loss that is not active,
            or a restart that would never look.
    """

    name: str
    iterations: int
    losses: tuple[str, ...]
    """The names of the model's loss terms that are active."""
    trains: str = "generator"
    """The model's child module that learns; nothing else gets a gradient."""
    loader: str = "train"
    """Where the batches come from: 'train' is `train_dataloader`."""
    prolong: Prolong | None = None
    restart: Restart | None = None
    keep_best: str | None = None
    """A value by whose mean over `BEST_WINDOW` iterations the phase's best weights are kept: at its
    end, what it trains gets back the weights that it had after the iteration of the least mean."""

    def __post_init__(self) -> None:
        where = f"phase {self.name!r}"
        for name in ("name", "trains", "loader"):
            check_name(where, name, getattr(self, name))
        check_counts(where, self, "iterations")
        if not self.losses or not all(isinstance(name, str) for name in self.losses):
            raise ValueError(f"{where}: got losses={self.losses!r}, expected a list of names")
        if self.keep_best is not None:
            check_name(where, "keep_best", self.keep_best)
        known = {f"loss_{name}" for name in self.losses}
        for value in self.watched:
            if value.startswith("loss_") and value not in known:
                raise ValueError(
                    f"{where}: got a condition on {value!r}, expected 'loss' or a loss of this "
                    f"phase ({', '.join(sorted(known))})"
                )
        if self.restart and self.restart.after > self.iterations:
            raise ValueError(
                f"{where}: got a restart after {self.restart.after} iterations, expected at most "
                f"the {self.iterations} that the phase has"
            )

    @property
    def watched(self) -> dict[str, int]:
        """The values that the conditions look at, with the longest window of each."""
        windows: dict[str, int] = {}
        looks = [(c.value, c.window) for c in (self.prolong, self.restart) if c]
        looks += [(self.keep_best, BEST_WINDOW)] if self.keep_best else []
        for value, window in looks:
            windows[value] = max(window, windows.get(value, 0))
        return windows

    def __str__(self) -> str:
        conditions = [str(condition) for condition in (self.prolong, self.restart) if condition]
        if self.keep_best:
            conditions.append(f"keeps the best by {self.keep_best}")
        what = f"{self.name}: trains {self.trains} with {' + '.join(self.losses)} on {self.loader}"
        return "; ".join([what, *conditions])
