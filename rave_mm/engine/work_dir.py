"""What an earlier training has left in a work directory."""

import re
from collections.abc import Mapping
from pathlib import Path

from rave_mm.networks.checkpoint_file import read_checkpoint
from rave_mm.networks.published_checkpoints import UnknownCheckpointError

_NAME = re.compile(r"(?:iter|epoch)_(\d+)\.pth")
# What MMEngine needs to go on, beside the weights.
_NEEDED = ("state_dict", "meta")
_LAST = "last_checkpoint"


def numbered_checkpoints(work_dir: Path) -> list[Path]:
    """The checkpoints that a training writes at intervals, the newest first."""
    found = [path for path in work_dir.glob("*.pth") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(_NAME.fullmatch(path.name)[1]), reverse=True)  # type: ignore[index]


def newest_complete_checkpoint(work_dir: Path) -> tuple[Path | None, list[str]]:
    """Find what training can go on from.

    A training that was killed, or ran out of disk, may have left a newest checkpoint that is cut
    off, and a `last_checkpoint` that is empty, missing, or names one that is not there.

    Returns:
        The checkpoint, or None where there is none; and a line for each one that was passed over.

    Raises:
        UnknownCheckpointError: There are checkpoints, but none of them is complete.
    """
    candidates = numbered_checkpoints(work_dir) or _named(work_dir)
    passed_over: list[str] = []
    for path in candidates:
        why = _incomplete(path)
        if why is None:
            return path, passed_over
        passed_over.append(f"{path} is passed over: {why}")
    if candidates:
        raise UnknownCheckpointError(
            f"--resume: none of the checkpoints in {work_dir} is complete ("
            + "; ".join(passed_over)
            + "). To start anew, move them away or name another --work-dir"
        )
    return None, []


def check_nothing_is_overwritten(work_dir: Path) -> None:
    """Refuse to start where an earlier training's checkpoints would be written over.

    Raises:
        FileExistsError: There are some.
    """
    there = numbered_checkpoints(work_dir)
    if there:
        raise FileExistsError(
            f"{work_dir} holds {there[0].name} of an earlier training, which would be written "
            "over. --resume goes on from it; to start anew, name another --work-dir or move it away"
        )


def _named(work_dir: Path) -> list[Path]:
    """What `last_checkpoint` names, where a config gives checkpoints other names than MMEngine."""
    note = work_dir / _LAST
    name = note.read_text(encoding="utf-8").strip() if note.is_file() else ""
    if not name:
        return []
    # The path that is noted is the one of the time, and the directory may have moved.
    here = work_dir / Path(name).name
    return [here if here.is_file() else Path(name)]


def _incomplete(path: Path) -> str | None:
    try:
        stored = read_checkpoint(path)
    except (OSError, UnknownCheckpointError) as error:
        return f"{type(error).__name__}, it is cut off or no checkpoint"
    missing = [key for key in _NEEDED if not isinstance(stored, Mapping) or key not in stored]
    return f"it has no {', '.join(missing)}" if missing else None
