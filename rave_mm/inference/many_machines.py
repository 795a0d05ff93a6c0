"""Enhances photographs on many machines: a worker for Ray Data.

    import ray
    from rave_mm.inference.many_machines import EnhanceWorker, photo_rows

    rows = ray.data.from_items(photo_rows("s3://bucket/photos"))
    done = rows.map(
        EnhanceWorker,
        fn_constructor_kwargs={"out": "s3://bucket/bright"},
        concurrency=64,
        num_cpus=2,
    )
    done.write_csv("s3://bucket/report")

Ray starts a worker again that was killed, and gives it its photograph once more. What is there is
not made again, so a run that ended early goes on when it is started again.
"""

import math
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from typing_extensions import Unpack

from rave_mm.inference.choosing import Settings, choose_enhancer
from rave_mm.inference.failure_signs import FailureSigns
from rave_mm.inference.photo_jobs import PhotoJob, result_suffix, suffix_of
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.photos.formats import format_of_name
from rave_mm.runtime.extras import needs
from rave_mm.runtime.memory import MAX_PIXELS

with needs("ray", "files of many machines take pyarrow"):
    from pyarrow import fs

_CHUNK = 4 * 2**20


def located(where: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or address (``s3://``, ``gs://``, ``hdfs://``), and the path there.

    Raises:
        ValueError: The address is of a file system that pyarrow does not know.
    """
    if "://" in where:
        return fs.FileSystem.from_uri(where)
    return fs.LocalFileSystem(), str(Path(where).resolve())


def photo_rows(folder: str) -> list[dict[str, str]]:
    """The photographs below a folder, by their names: hidden files and folders are left out.

    Args:
        folder: A path that all workers reach, or an address of an object store.

    Returns:
        A row for each: `photo`, its path or address, and `name`, its path below the folder.

    Raises:
        ValueError: There is none.
    """
    files, root = located(folder)
    found = files.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True))
    rows = []
    for info in sorted(found, key=lambda each: each.path):
        name = PurePosixPath(info.path).relative_to(root)
        hidden = any(part.startswith(".") for part in name.parts)
        if info.type == fs.FileType.File and not hidden and format_of_name(name.name):
            rows.append({"photo": f"{folder.rstrip('/')}/{name}", "name": str(name)})
    if not rows:
        raise ValueError(f"no photo below {folder}")
    return rows


class EnhanceWorker:
    """Enhances one photograph after another; for :meth:`ray.data.Dataset.map`.

    Args:
        out: Folder of the results, a path that all workers reach or an address; their names are
            those of the photographs, below it.
        strength: As for :meth:`rave_mm.inference.enhancer.Enhancer.enhance`.
        max_pixels: Photographs of more fail.
        settings: Those of :class:`rave_mm.inference.PhotoEnhancer`: checkpoint, device, ...
    """

    def __init__(
        self,
        out: str,
        strength: float = 1.0,
        max_pixels: int = MAX_PIXELS,
        **settings: Unpack[Settings],
    ) -> None:
        self.out = out.rstrip("/")
        self.run = PhotoRun(choose_enhancer(**settings), strength=strength, max_pixels=max_pixels)

    def __call__(self, row: dict[str, str]) -> dict[str, Any]:
        """Enhance the photograph of a row, unless its result is there.

        Returns:
            The row with `result`, `status` ("done", "skipped" or "failed"), `reason`, and the signs
            of failure, see :class:`rave_mm.inference.failure_signs.FailureSigns`. A photograph that
            fails does not stop the others.
        """
        kind = format_of_name(row["name"])
        assert kind is not None
        target = self._target(row["name"], suffix_of(row["name"], kind))
        if _is_there(target):  # without reading the photograph
            return _told(row, target, "skipped")
        with tempfile.TemporaryDirectory(prefix="rave_mm-") as name:
            source = Path(name) / "in" / PurePosixPath(row["name"]).name
            source.parent.mkdir()
            try:
                _copy(*located(row["photo"]), fs.LocalFileSystem(), str(source))
                target = self._target(row["name"], result_suffix(source))  # by what it holds
                if _is_there(target):
                    return _told(row, target, "skipped")
                job = PhotoJob(source, Path(name) / "out" / PurePosixPath(target).name)
                (outcome,) = self.run([job])
                if outcome.status != "done":
                    return _told(row, target, "failed", outcome.reason)
                _put(job.target, target)
            except OSError as error:
                return _told(row, target, "failed", str(error))
        return _told(row, target, "done", signs=outcome.signs)

    def _target(self, name: str, suffix: str) -> str:
        return f"{self.out}/{PurePosixPath(name).with_suffix(suffix)}"


def _told(
    row: dict[str, str],
    target: str,
    status: str,
    reason: str = "",
    signs: FailureSigns | None = None,
) -> dict[str, Any]:
    """A row of the report; signs are NaN where nothing was enhanced."""
    measured = asdict(signs or FailureSigns(math.nan, math.nan, math.nan, math.nan))
    return {**row, "result": target, "status": status, "reason": reason, **measured}


def _is_there(target: str) -> bool:
    files, path = located(target)
    return bool(files.get_file_info(path).type == fs.FileType.File)


def _put(result: Path, target: str) -> None:
    """Write a result so that it has its name when it is whole."""
    files, path = located(target)
    parent = PurePosixPath(path).parent
    files.create_dir(str(parent))
    if not isinstance(files, fs.LocalFileSystem):
        _copy(
            fs.LocalFileSystem(), str(result), files, path
        )  # no object is seen before it is whole
        return
    beside = str(parent / f".{PurePosixPath(path).name}.{uuid.uuid4().hex[:8]}")
    _copy(fs.LocalFileSystem(), str(result), files, beside)
    files.move(beside, path)


def _copy(source: fs.FileSystem, path: str, target: fs.FileSystem, to: str) -> None:
    with source.open_input_stream(path) as reading, target.open_output_stream(to) as writing:
        for chunk in _chunks(reading):
            writing.write(chunk)


def _chunks(stream: Any) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
