"""Plans what is enhanced into which file, and refuses a plan that would overwrite something."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rave_mm.photos.folders import first_few
from rave_mm.photos.formats import (
    Format,
    format_of_file,
    format_of_name,
    photo_extensions,
    result_format,
)


class PlanError(ValueError):
    """Photographs that cannot be enhanced into the files that follow from what was asked."""


@dataclass(frozen=True)
class PhotoJob:
    """One photograph to enhance.

    Attributes:
        source: The photograph.
        target: Its result.
        light_map: Where its light map goes, or None.
        compare: Where the photograph and its result side by side go, or None.
    """

    source: Path
    target: Path
    light_map: Path | None = None
    compare: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All files to write, the result last."""
        return [path for path in (self.light_map, self.compare) if path] + [self.target]

    @property
    def done(self) -> bool:
        """Whether all files are there."""
        return all(path.is_file() for path in self.files)


@dataclass(frozen=True)
class Plan:
    """What is to be enhanced.

    Attributes:
        jobs: Each photograph once, in the order of the inputs and then of their paths.
        left_out: What else lies in the folders, hidden files aside, with the reason.
    """

    jobs: list[PhotoJob]
    left_out: list[tuple[Path, str]]


def plan_jobs(
    inputs: Sequence[Path],
    out: Path,
    *,
    extension: str | None = None,
    light_map: bool = False,
    compare: bool = False,
) -> Plan:
    """Find photographs and name their results.

    Folders are searched recursively, hidden ones and `out` left out; their layout is kept. A result
    has its photograph's name and format. Where the name belies the format, or the format is one
    that is not written, its extension says what it is.

    Args:
        inputs: Photographs and folders of them.
        out: Folder of the results.
        extension: Of all results, such as ".png"; None for that of each photograph's format.
        light_map: Also name a file for the light map, `RESULT.light_map.png`.
        compare: Also name a file for the comparison, `RESULT.compare.jpg`.

    Returns:
        The plan.

    Raises:
        PlanError: An input is missing or no photograph, there is none, two results would have
            the same name, or a result that of a photograph. The message names the files.
    """
    found: dict[tuple[Path, Path], Path] = {}
    left_out: dict[Path, str] = {}
    for given in inputs:
        if given.is_dir():
            for source in _files_in(given, out):
                if reason := _why_not(source):
                    left_out[source] = reason
                else:
                    found.setdefault((source.resolve(), source.relative_to(given)), source)
        elif not given.is_file():
            raise PlanError(f"no such photograph or folder: {given} (looked from {Path.cwd()})")
        elif reason := _why_not(given):
            raise PlanError(
                f"{given} is no photograph that can be read: {reason}; expected one of "
                f"{', '.join(photo_extensions())}"
            )
        else:
            found.setdefault((given.resolve(), Path(given.name)), given)
    if not found:
        raise PlanError(
            f"no photograph in {', '.join(map(str, inputs))}; expected files that end in "
            f"{', '.join(photo_extensions())}"
        )
    jobs = []
    for (_, name), source in found.items():
        suffix = extension or result_suffix(source)
        target = out / (name if suffix == name.suffix else name.with_suffix(suffix))
        jobs.append(
            PhotoJob(
                source,
                target,
                target.with_name(f"{target.name}.light_map.png") if light_map else None,
                target.with_name(f"{target.name}.compare.jpg") if compare else None,
            )
        )
    _check_clashes(jobs)
    return Plan(jobs, list(left_out.items()))


def _files_in(folder: Path, out: Path) -> Iterator[Path]:
    # Results of an earlier run are no photographs of this one.
    inside = folder.resolve() in out.resolve().parents
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        earlier = inside and path.resolve().is_relative_to(out.resolve())
        if not (path.is_dir() or hidden or earlier):
            yield path


def _why_not(path: Path) -> str:
    """Why a file is left out, by its name alone; empty if it is not."""
    if not path.is_file():
        return "a broken link" if path.is_symlink() else "not a file"
    kind = format_of_name(path)
    if kind is None:
        return f"files in {path.suffix} are not read" if path.suffix else "no extension"
    return kind.missing


def result_suffix(source: Path) -> str:
    """The extension of a photograph's result: its own, if that is one of the result's format."""
    try:
        kind = format_of_file(source)
    except OSError:
        kind = None
    if kind is None:  # which reading will tell
        kind = format_of_name(source)
    assert kind is not None
    return suffix_of(source.name, kind)


def suffix_of(name: str, kind: Format) -> str:
    """The extension of the result of a photograph of some name and format."""
    suffix, written = Path(name).suffix, result_format(kind)
    return suffix if suffix.lower() in written.extensions else written.extensions[0]


def _check_clashes(jobs: Sequence[PhotoJob]) -> None:
    sources = {job.source.resolve() for job in jobs}
    makers: dict[Path, list[Path]] = defaultdict(list)
    for job in jobs:
        for path in job.files:
            makers[path.resolve()].append(job.source)
    shared = [
        f"{path} from {' and '.join(map(str, found))}"
        for path, found in makers.items()
        if len(found) > 1
    ]
    if shared:
        raise PlanError(
            f"results would overwrite each other:\n{first_few(shared)}\nEnhance these photographs "
            "into different folders, or rename them."
        )
    overwritten = [str(path) for path in makers if path in sources]
    if overwritten:
        raise PlanError(
            f"results would overwrite photographs:\n{first_few(overwritten)}\nName another folder "
            "for the results."
        )
