"""Downloads of many results: a ZIP file that is sent while it is made."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path, PurePath

from typing_extensions import Buffer

from rave_mm.web.album import Item

_CHUNK = 2**20
FAILED = "failed.txt"


class _Sink(io.RawIOBase):
    """A file that is written to and emptied."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        part = bytes(data)
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


async def zip_of(
    items: Iterable[Item], result: Callable[[Item], Awaitable[Path | str]]
) -> AsyncIterator[bytes]:
    """A ZIP file with the result of each photograph, made one after another.

    Args:
        items: The photographs.
        result: Gives the file of a photograph's result, or why there is none. Reasons stand in
            `failed.txt` in the ZIP file.

    Yields:
        Its bytes.
    """
    sink, names, failed = _Sink(), set[str](), []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for item in items:
            path = await result(item)
            if isinstance(path, str):
                failed.append(f"{item.path.name}: {path}\n")
                continue
            name = free_name(path.name, names)
            names.add(name)
            entry = zipfile.ZipInfo.from_file(path, name)
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield sink.take()
        if failed:
            archive.writestr(free_name(FAILED, names), "".join(failed))
    yield sink.take()


def free_name(name: str, taken: set[str]) -> str:
    """A name, or with a number behind it where it is taken: `a.jpg`, `a (2).jpg`."""
    path, number = PurePath(name), 1
    while name in taken:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    return name
