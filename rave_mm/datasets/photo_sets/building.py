"""A set is built aside and then moved into place with a manifest: complete, or not there."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rave_mm.datasets.photo_sets import PreparationError
from rave_mm.datasets.photo_sets.sources import Entry
from rave_mm.photos.folders import first_few, list_photos

MANIFEST = "manifest.json"


def build_set(
    out: Path,
    parameters: Entry,
    chosen: Sequence[Entry],
    fill: Callable[[Path], None],
    force: bool,
) -> bool:
    """Make a set aside and move it into place, unless it is there.

    Args:
        out: The set's folder.
        parameters: What decides its bytes. It is made anew where they are others.
        chosen: Its photographs, for the manifest.
        fill: Writes it into a folder.
        force: Make it anew even where it is complete.

    Returns:
        Whether it was made.

    Raises:
        PreparationError: The folder holds what is not of such a set.
    """
    out = out.resolve()
    stale = _why_stale(out, parameters)
    if stale is None and not force:
        print(f"{out} is complete (--force makes it anew)")
        return False
    if stale:
        print(f"{out} is made anew: {stale}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as workspace:
        fresh = Path(workspace, "fresh")
        fresh.mkdir()
        fill(fresh)
        photographs = [
            {k: entry[k] for k in ("id", "scene", "split")}
            | {k: entry["package"][k] for k in ("name", "licence", "credit")}
            for entry in chosen
        ]
        digests = {name: digest((fresh / name).read_bytes()) for name in _files(fresh)}
        manifest = {"parameters": parameters, "photographs": photographs, "files": digests}
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (fresh / MANIFEST).write_text(text + "\n", encoding="utf-8")
        if out.exists():
            out.rename(Path(workspace, "stale"))
        fresh.rename(out)
    for folder in sorted({str(Path(name).parent) for name in digests}):
        print(f"{out / folder}: {len(list_photos(out / folder))} photographs")
    return True


def digest(data: bytes) -> str:
    """SHA-256."""
    return hashlib.sha256(data).hexdigest()


def _why_stale(out: Path, parameters: Entry) -> str | None:
    """Why a set must be made: "" where there is none, None where it is complete.

    Raises:
        PreparationError: The folder holds what this tool did not make, and must not remove.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return ""
    advice = "choose another --out, or move it away"
    if not (out / MANIFEST).is_file():
        raise PreparationError(f"{out} is there and was not made by this tool; {advice}")
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        made_with, files = manifest["parameters"], manifest["files"]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{out / MANIFEST} is not a manifest of this tool; {advice}"
        raise PreparationError(message) from error
    present = set(_files(out)) - {MANIFEST}
    if foreign := sorted(present - set(files)):
        raise PreparationError(
            f"{out} has {len(foreign)} files of others:\n{first_few(foreign)}\n{advice}"
        )
    changed = [key for key in parameters if made_with.get(key) != parameters[key]]
    if changed:
        return f"it was made with other {', '.join(changed)}"
    damaged = [n for n in files if n not in present or digest((out / n).read_bytes()) != files[n]]
    return f"{len(damaged)} files are missing or changed, as {damaged[0]}" if damaged else None


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
