"""Find the photographs of a folder, and pair those of two."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rave_mm.photos.errors import PhotoFolderError, UnreadablePhotoError
from rave_mm.photos.formats import photo_extensions
from rave_mm.photos.reading import checked_size

_DUPLICATE = re.compile(r"^(?P<original>.+?) ?\(\d+\)$")
_SHOWN = 10


@dataclass(frozen=True)
class PairListing:
    """What :func:`pair_by_stem` found.

    Attributes:
        pairs: (backlit, well-lit) paths, sorted by stem.
        left_out: Duplicates named like ``0152(2).jpg``, from both folders.
    """

    pairs: list[tuple[Path, Path]]
    left_out: list[Path]


def list_photos(folder: Path | str) -> list[Path]:
    """List the photographs in one folder, not in the folders inside it.

    Args:
        folder: A folder. Files count by extension, in either case, if it is one of
            :func:`rave_mm.photos.formats.photo_extensions`; hidden files do not count.

    Returns:
        Paths, sorted by name, at least one.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: It is a file.
        PhotoFolderError: It holds no photograph.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(
            f"no such folder: {folder} (looked from {Path.cwd()}); expected a folder of photographs"
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected a folder of photographs")
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    extensions = photo_extensions()
    # A link that leads nowhere is a photograph that cannot be read, not one that is not there.
    photos = [
        e for e in entries if e.suffix.lower() in extensions and (e.is_file() or not e.exists())
    ]
    if not photos:
        raise PhotoFolderError(
            f"no photograph in {folder}: found {_describe(entries)}; "
            f"expected files that end in {', '.join(extensions)}"
        )
    return photos


def other_files(folder: Path | str) -> str:
    """What else lies in a folder of photographs, in words; "" if nothing, or only folders."""
    photos = set(list_photos(folder))
    entries = [e for e in Path(folder).iterdir() if not e.name.startswith(".") and not e.is_dir()]
    others = [entry for entry in entries if entry not in photos]
    return _describe(others) if others else ""


def check_on_unreadable(value: str) -> None:
    """Refuse what is neither of the two ways to treat photographs that cannot be read.

    Raises:
        ValueError: ``value`` is not "error" or "skip".
    """
    if value not in ("error", "skip"):
        raise ValueError(f"on_unreadable: got {value!r}, expected one of error, skip")


def pair_by_stem(backlit: Path | str, well_lit: Path | str) -> PairListing:
    """Pair the photographs of two folders by file stem, never by listing order.

    Stems are compared as they are written, case included; extensions may differ. A file
    named like ``0152(2).jpg`` is a duplicate and left out where ``0152`` is in either
    folder, as in BAID's test set; otherwise that is simply its name.

    Args:
        backlit: Folder of backlit photographs.
        well_lit: Folder of their well-lit counterparts.

    Returns:
        The pairs and what was left out.

    Raises:
        FileNotFoundError: A folder is missing.
        PhotoFolderError: A folder has no photograph, a photograph has no partner, two files of a
            folder share a stem, or the sizes of a pair differ. The message names the files.
    """
    found = [list_photos(backlit), list_photos(well_lit)]
    stems = {path.stem for paths in found for path in paths}
    left_out: list[Path] = []
    by_stem: list[dict[str, list[Path]]] = []
    for paths in found:
        kept = defaultdict(list)
        for path in paths:
            match = _DUPLICATE.match(path.stem)
            if match and match["original"] in stems:
                left_out.append(path)
            else:
                kept[path.stem].append(path)
        by_stem.append(kept)
    first, second = by_stem
    shared = [
        " and ".join(map(str, paths))
        for kept in by_stem
        for paths in kept.values()
        if len(paths) > 1
    ]
    problems = [
        _listed("files share a stem, so that their partner is not certain", shared),
        _listed(f"have no partner in {well_lit}", _missing(first, second)),
        _listed(f"have no partner in {backlit}", _missing(second, first)),
    ]
    if not any(problems):
        pairs = [(first[stem][0], second[stem][0]) for stem in sorted(first)]
        problems = _size_problems(pairs)
    if any(problems):
        raise PhotoFolderError(
            f"{backlit} and {well_lit} do not pair:\n"
            + "\n".join(problem for problem in problems if problem)
            + "\nExpected one photograph of each stem in each folder, of the same size as its "
            "partner. Correct, move or remove these files."
        )
    return PairListing(pairs, left_out)


def _size_problems(pairs: Sequence[tuple[Path, Path]]) -> list[str]:
    unreadable, mismatched = [], []
    for pair in pairs:
        sizes = []
        for path in pair:
            try:
                sizes.append("{}x{}".format(*reversed(checked_size(path))))
            except UnreadablePhotoError as error:
                unreadable.append(f"{path}: {error.reason}")
        if len(set(sizes)) > 1:
            mismatched.append(f"{pair[0]} ({sizes[0]}) and {pair[1]} ({sizes[1]})")
    return [_listed("cannot be read", unreadable), _listed("pairs differ in size", mismatched)]


def _missing(paths: dict[str, list[Path]], others: dict[str, list[Path]]) -> list[str]:
    return [str(path) for stem in paths if stem not in others for path in paths[stem]]


def _listed(what: str, items: Sequence[str]) -> str:
    """One problem as text: its count, what it is, and its first few items."""
    if not items:
        return ""
    return f"{len(items)} {what}:\n{first_few(items)}"


def first_few(items: Sequence[object]) -> str:
    """The first ten items, indented, a line each, and how many there are beside."""
    more = [f"and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return "\n".join(f"  {item}" for item in [*items[:_SHOWN], *more])


def _describe(entries: Iterable[Path]) -> str:
    kinds = Counter(
        "folders" if e.is_dir() else f"files in {e.suffix}" if e.suffix else "files of no extension"
        for e in entries
    )
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "nothing"
