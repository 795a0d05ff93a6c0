"""What tests, ablations and trainings left below a folder, for the page that compares them."""

import base64
import csv
import html
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

T = TypeVar("T")

# A photo of report.html, and the pictures of one.
_PHOTO = re.compile(
    rb"<figcaption>([^<]*)</figcaption><before-after[^>]*>(.*?)</before-after>", re.S
)
_PICTURE = re.compile(rb'data-name="([^"]+)"[^>]*? src="data:image/jpeg;base64,([^"]*)"')
_NO_CURVE = ("iter", "step", "epoch")


@dataclass(frozen=True)
class Record:
    """A test, an ablation or a training.

    Attributes:
        kind: "test", "ablation" or "training".
        name: Its folder, from the folder that is shown.
        folder: Its folder.
        changed: When its file was last written, in seconds.
    """

    kind: str
    name: str
    folder: Path
    changed: float

    def told(self) -> dict[str, Any]:
        """What the list says of it."""
        date = datetime.fromtimestamp(self.changed, timezone.utc).isoformat(timespec="seconds")
        return {"kind": self.kind, "name": self.name, "date": date}


def find_records(root: Path) -> Iterator[Record]:
    """Tests (`report.json`), ablations (`runs.csv`) and trainings (`vis_data/scalars.json`).

    Hidden folders are left out, and links to folders are not followed.
    """
    for current, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        folder = Path(current)
        for kind, file in (("test", "report.json"), ("ablation", "runs.csv")):
            if file in files:
                yield _record(kind, folder, folder / file, root)
        # MMEngine puts a folder for each start below a training's own: TIME/vis_data.
        starts = [folder / name / "vis_data" / "scalars.json" for name in folders]
        if written := [path for path in starts if path.is_file() and _trained(path)]:
            yield _record(
                "training", folder, max(written, key=lambda path: path.stat().st_mtime), root
            )


def _trained(scalars: Path) -> bool:
    """Whether a file of curves is of a training: a test has a single line, without a loss."""
    with scalars.open("rb") as file:
        return b'"loss"' in file.read(4096)


def _record(kind: str, folder: Path, file: Path, root: Path) -> Record:
    name = folder.relative_to(root).as_posix()
    return Record(kind, root.name if name == "." else name, folder, file.stat().st_mtime)


def read_test(folder: Path) -> dict[str, Any]:
    """Figures and photos of a test, as its `report.json` and `photos.csv` have them.

    Each photo has its figures as (result, input, gain) by metric, and the names of its pictures.
    """
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    pictures = pictures_of(folder)
    rows = []
    with (folder / "photos.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            metrics = [key for key in row if key != "name" and "/" not in key]
            figures = {
                metric: [_number(row[key]) for key in (metric, f"input/{metric}", f"gain/{metric}")]
                for metric in metrics
                if row[metric]
            }
            shown = list(pictures.get(row["name"], {}))
            rows.append({"name": row["name"], "figures": figures, "pictures": shown})
    keys = ("protocol", "figures", "not_computed", "config", "checkpoint", "date")
    return {**{key: report.get(key) for key in keys}, "photos": rows}


def read_ablation(folder: Path) -> dict[str, Any]:
    """The columns and rows of an ablation's `runs.csv`, and whether it has a figure."""
    with (folder / "runs.csv").open(newline="", encoding="utf-8") as file:
        columns, *rows = list(csv.reader(file))
    return {"columns": columns, "rows": rows, "figure": (folder / "figure.png").is_file()}


def read_training(folder: Path) -> dict[str, Any]:
    """The curves of a training: by name, pairs of an iteration and a value.

    Of a training that was resumed, a later start's values stand for the iterations that both have.
    """
    curves: dict[str, dict[int, float]] = {}
    for scalars in sorted(folder.glob("*/vis_data/scalars.json")):
        for line in scalars.read_text(encoding="utf-8").splitlines():
            try:
                values = json.loads(line)
            except ValueError:  # the line that a running training is writing
                continue
            for name, value in values.items():
                if name not in _NO_CURVE and isinstance(value, (int, float)) and value == value:
                    curves.setdefault(name, {})[int(values["step"])] = value
    return {"curves": {name: sorted(points.items()) for name, points in curves.items()}}


def pictures_of(folder: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Where in `report.html` the pictures are: by photo and name, the ends of the base64 text."""
    path = folder / "report.html"
    return _find_pictures(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=32)
def _find_pictures(path: Path, changed: int) -> dict[str, dict[str, tuple[int, int]]]:
    found = {}
    for photo in _PHOTO.finditer(path.read_bytes()):
        name = html.unescape(photo[1].decode())
        start = photo.start(2)
        found[name] = {
            html.unescape(each[1].decode()): (start + each.start(2), start + each.end(2))
            for each in _PICTURE.finditer(photo[2])
        }
    return found


def read_picture(folder: Path, photo: str, name: str) -> bytes:
    """A picture of a photo of a test, as JPEG.

    Raises:
        KeyError: There is no such photo or picture.
    """
    start, end = pictures_of(folder)[photo][name]
    with (folder / "report.html").open("rb") as file:
        file.seek(start)
        return base64.b64decode(file.read(end - start))


def _number(text: str) -> float | str:
    """A number for JSON, which knows no infinity: that stays text."""
    value = float(text)
    return value if abs(value) != float("inf") and value == value else text


class Records:
    """Answers the page's requests about runs.

    Args:
        root: The folder that is searched; it may come later.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._found: dict[tuple[str, str], Record] = {}

    def routes(self) -> list[Route]:
        """The addresses below `/api/runs`."""
        return [
            Route("/", self.list_records),
            Route("/test", partial(self._answer, "test", read_test)),
            Route("/ablation", partial(self._answer, "ablation", read_ablation)),
            Route("/training", partial(self._answer, "training", read_training)),
            Route("/figure", self.figure),
            Route("/picture", self.picture),
        ]

    async def list_records(self, request: Request) -> Response:
        """All that was found, the newest first."""
        found = sorted(await self._search(), key=lambda record: -record.changed)
        folder = str(self.root.resolve())
        return JSONResponse({"folder": folder, "records": [each.told() for each in found]})

    async def _answer(
        self, kind: str, read: Callable[[Path], dict[str, Any]], request: Request
    ) -> Response:
        return JSONResponse(await self._read(request, kind, read))

    async def figure(self, request: Request) -> Response:
        """The figure of an ablation."""
        folder = (await self._record(request, "ablation")).folder
        return FileResponse(folder / "figure.png", headers={"cache-control": "no-cache"})

    async def picture(self, request: Request) -> Response:
        """A picture of a photo of a test."""
        photo, name = (request.query_params.get(key, "") for key in ("photo", "picture"))
        jpeg = await self._read(request, "test", lambda folder: read_picture(folder, photo, name))
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-cache"})

    async def _record(self, request: Request, kind: str) -> Record:
        """The record of a name: one of those that are found, so no name leads anywhere else."""
        name = request.query_params.get("name", "")
        if (kind, name) not in self._found:
            await self._search()
        if (kind, name) not in self._found:
            raise HTTPException(404, f"there is no {kind} {name!r} below {self.root}")
        return self._found[kind, name]

    async def _search(self) -> list[Record]:
        found = await to_thread.run_sync(lambda: list(find_records(self.root)))
        self._found = {(record.kind, record.name): record for record in found}
        return found

    async def _read(self, request: Request, kind: str, read: Callable[[Path], T]) -> T:
        record = await self._record(request, kind)
        try:
            return await to_thread.run_sync(read, record.folder)
        except KeyError as error:
            raise HTTPException(404, f"{record.name} has no {error}") from error
        except (OSError, ValueError) as error:
            raise HTTPException(422, f"{record.name} cannot be read: {error}") from error
