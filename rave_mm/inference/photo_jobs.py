"""Plans what is enhanced into which file, and refuses a plan that would overwrite something."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rave_mm.photos.photo_files import HEIC_EXTENSIONS, photo_extensions
from rave_mm.photos.photo_folders import first_few


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


def plan_jobs(
    inputs: Sequence[Path],
    out: Path,
    *,
    extension: str | None = None,
    light_map: bool = False,
    compare: bool = False,
) -> list[PhotoJob]:
    """Find photographs and name their results.

    Folders are searched recursively, hidden ones and `out` left out; their layout is kept.

    Args:
        inputs: Photographs and folders of them.
        out: Folder of the results.
        extension: Of all results, such as ".png"; None for that of each photograph.
        light_map: Also name a file for the light map, `RESULT.light_map.png`.
        compare: Also name a file for the comparison, `RESULT.compare.jpg`.

    Returns:
        Jobs, each photograph once, in the order of the inputs and then of their paths.

    Raises:
        PlanError: An input is missing or no photograph, there is none, two results would have
            the same name, or a result that of a photograph. The message names the files.
    """
    found: dict[tuple[Path, Path], Path] = {}
    for given in inputs:
        if given.is_dir():
            for source in _photos_in(given, out):
                found.setdefault((source.resolve(), source.relative_to(given)), source)
        elif not given.is_file():
            raise PlanError(f"no such photograph or folder: {given} (looked from {Path.cwd()})")
        elif given.suffix.lower() not in photo_extensions():
            hint = ": pip install pillow-heif" if given.suffix.lower() in HEIC_EXTENSIONS else ""
            raise PlanError(
                f"{given} is no photograph that can be read{hint}; expected one of "
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
        target = out / (name.with_suffix(extension) if extension else name)
        jobs.append(
            PhotoJob(
                source,
                target,
                target.with_name(f"{target.name}.light_map.png") if light_map else None,
                target.with_name(f"{target.name}.compare.jpg") if compare else None,
            )
        )
    _check_clashes(jobs)
    return jobs


def _photos_in(folder: Path, out: Path) -> Iterator[Path]:
    extensions = photo_extensions()
    # Results of an earlier run are no photographs of this one.
    inside = folder.resolve() in out.resolve().parents
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        earlier = inside and path.resolve().is_relative_to(out.resolve())
        if path.suffix.lower() in extensions and path.is_file() and not hidden and not earlier:
            yield path


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
