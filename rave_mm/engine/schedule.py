"""A schedule as data: phases, and rounds of phases that take turns.

Where training is in its schedule is `rave_mm.engine.position`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from rave_mm.engine.phase import Phase, Prolong, Restart, check_counts

__all__ = ["Phase", "Prolong", "Restart", "Rounds", "Schedule", "Step", "read_schedule"]

_Settings = TypeVar("_Settings", Prolong, Restart, Phase)


@dataclass(frozen=True)
class Rounds:
    """Phases that take turns."""

    rounds: int
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        check_counts("rounds", self, "rounds")


@dataclass(frozen=True)
class Step:
    """A phase at its place in the schedule."""

    phase: Phase
    round: int
    """Counted from 1; 0 for a phase that is not in rounds."""

    def __str__(self) -> str:
        return self.phase.name + (f", round {self.round}" if self.round else "")


class Schedule:
    """What runs when, as planned: phases and rounds of phases, one after the other.

    Args:
        parts: at least one; every phase has a name of its own.

    Raises:
        ValueError: no phase, or two phases of a name.
    """

    def __init__(self, parts: Sequence[Phase | Rounds]) -> None:
        self.parts = tuple(parts)
        self.phases = tuple(
            phase
            for part in self.parts
            for phase in (part.phases if isinstance(part, Rounds) else (part,))
        )
        if not self.phases:
            raise ValueError("phases: got none, expected at least one")
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError(f"phases: got the names {names}, expected each name once")
        self.steps = tuple(self._steps())

    def _steps(self) -> Iterator[Step]:
        for part in self.parts:
            if isinstance(part, Phase):
                yield Step(part, 0)
            else:
                for number in range(1, part.rounds + 1):
                    yield from (Step(phase, number) for phase in part.phases)

    @property
    def has_rounds(self) -> bool:
        """Whether phases take turns."""
        return any(isinstance(part, Rounds) for part in self.parts)

    @property
    def iterations(self) -> int:
        """How many are planned, before anything is prolonged or starts anew."""
        return sum(step.phase.iterations for step in self.steps)

    def number(self, phase: Phase) -> int:
        """The phase's number, from 1, as the timeline and the log have it."""
        return self.phases.index(phase) + 1

    def timeline(self) -> str:
        """A line for each phase, with its iterations as planned; rounds stand there once."""
        lines, start = [], 0
        for part in self.parts:
            if isinstance(part, Rounds):
                end = start + part.rounds * sum(phase.iterations for phase in part.phases)
                lines.append(f"{start:>9} - {end:>7}  x {part.rounds} rounds of")
                indent, phases = "  ", part.phases
            else:
                indent, phases = "", (part,)
            begin = start
            for phase in phases:
                line = f"{begin:>9} - {begin + phase.iterations:>7}  {self.number(phase)} {phase}"
                lines.append(indent + line)
                begin += phase.iterations
            start = end if isinstance(part, Rounds) else begin
        return "\n".join(lines)


def read_schedule(configs: Sequence[Mapping[str, Any]]) -> Schedule:
    """Read a schedule from a config.

    Args:
        configs: `dict(name=..., iterations=..., losses=[...])`, if wanted with the further settings
            of :class:`Phase`; or `dict(rounds=N, phases=[...])` for phases that take turns.

    Raises:
        ValueError: no phase; keys that are missing or unknown; a setting of another type or range;
            two phases of a name.
    """
    return Schedule([_read_part(config) for config in _as_list("phases", configs)])


def _read_part(config: Any) -> Phase | Rounds:
    if not isinstance(config, Mapping) or "rounds" not in config:
        return _read_phase(config)
    if set(config) != {"rounds", "phases"}:
        raise ValueError(f"rounds: got the keys {', '.join(config)}, expected rounds, phases")
    phases = _as_list("rounds: phases", config["phases"])
    if not phases:
        raise ValueError("rounds: got no phases, expected at least one")
    return Rounds(config["rounds"], tuple(_read_phase(phase) for phase in phases))


def _read_phase(config: Any) -> Phase:
    where = "phases"
    if isinstance(config, Mapping):
        where = f"phase {config.get('name')!r}"
        config = dict(config)
        if config.get("prolong") is not None:
            config["prolong"] = _read(Prolong, config["prolong"], f"{where}: prolong")
        if config.get("restart") is not None:
            config["restart"] = _read(Restart, config["restart"], f"{where}: restart")
        if "losses" in config:
            config["losses"] = tuple(_as_list(f"{where}: losses", config["losses"]))
    return _read(Phase, config, where)


def _read(kind: type[_Settings], config: Any, where: str) -> _Settings:
    """Make settings of a dict that has all keys that are needed and no others."""
    names = [field.name for field in fields(kind)]
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    if not isinstance(config, Mapping):
        raise ValueError(f"{where}: got {config!r}, expected a dict with {', '.join(needed)}")
    if not set(needed) <= set(config) <= set(names):
        optional = [name for name in names if name not in needed]
        raise ValueError(
            f"{where}: got the keys {', '.join(config)}, expected {', '.join(needed)} and, if "
            f"wanted, {', '.join(optional)}"
        )
    return kind(**config)


def _as_list(where: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: got {value!r}, expected a list")
    return value
