"""A folder that is enhanced with kills between ends as one enhanced in one go."""

import random
from pathlib import Path

from tests.tools.kills.forked import kill_at_a_random_moment, start

LONGEST = 1.5  # about the seconds that the folder takes

Files = dict[str, bytes]


def _results(out: Path) -> Files:
    """The results under their final names, not what is being written beside them."""
    found = sorted(path for path in out.rglob("*") if path.is_file())
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in found
        if not path.name.startswith(".") and path.name != "enhance.csv"
    }


def _arguments(photos: Path, out: Path) -> list[str | Path]:
    return [photos, "--out", out, "--save-light-map", "--compare"]


def uninterrupted(photos: Path, folder: Path) -> Files:
    """The results of a run that nobody kills."""
    out = folder / "uninterrupted"
    out.mkdir(parents=True)
    process = start("enhance", _arguments(photos, out), folder / "uninterrupted.log")
    process.join()
    assert process.exitcode == 0, folder / "uninterrupted.log"
    return _results(out)


def trial(photos: Path, folder: Path, wanted: Files, seed: int, most_kills: int) -> tuple[int, str]:
    """Enhance photos, and kill.

    Returns:
        How many kills there were, and what went wrong, "" if nothing.
    """
    rng = random.Random(seed)
    out, log = folder / f"trial_{seed}", folder / f"trial_{seed}.log"
    out.mkdir(parents=True)
    kills = 0
    done: dict[Path, int] = {}
    killed = True
    while killed:
        process = start("enhance", _arguments(photos, out), log)
        if kills < most_kills:
            killed = kill_at_a_random_moment(process, out, ".*", LONGEST, rng)
        else:
            process.join()
            killed = False
        kills += killed
        for name, content in _results(out).items():
            if wanted.get(name) != content:
                return kills, f"{out / name} after {kills} kills is not what it should be"
        anew = [path.name for path, when in done.items() if path.stat().st_mtime_ns != when]
        if anew:
            return kills, f"enhanced once more: {', '.join(anew)}"
        # The result is written last, so where it is, its light map and comparison are, too.
        results = (out / path.relative_to(photos) for path in photos.rglob("*.*"))
        done = {path: path.stat().st_mtime_ns for path in results if path.is_file()}
    if process.exitcode != 0:
        return kills, f"the last run ended with {process.exitcode} after {kills} kills"
    missing = [name for name in wanted if not (out / name).is_file()]
    return kills, f"missing: {', '.join(missing)}" if missing else ""
