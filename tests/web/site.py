"""The page's server in a thread, and a client that sends whatever it is told to."""

import http.client
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from rave_mm.inference.choosing import choose_enhancer
from rave_mm.inference.photo_enhancer import PhotoEnhancer
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.photos.writing import write_photo
from rave_mm.web.album import Album
from rave_mm.web.app import build_app
from rave_mm.web.desk import Desk
from rave_mm.web.guard import Guard
from rave_mm.web.guide import Guide
from rave_mm.web.records import Records
from rave_mm.web.visits import Visits
from rave_mm.web.workbench import Workbench

VISITOR = "visitor-of-a-test"
BUNDLED = "bundled network"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """A server that runs.

    Attributes:
        port: Where.
        visits: What it knows.
    """

    port: int
    visits: Visits

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """What the server answers; the host and the origin are its own, unless `headers` differ."""
        usual = {"Host": f"127.0.0.1:{self.port}", "Origin": self.url}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {**usual, **(headers or {})})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read())
        finally:
            connection.close()

    def upload(self, name: str, content: bytes, visitor: str = VISITOR) -> Answer:
        query = urllib.parse.urlencode({"visitor": visitor, "name": name})
        return self.ask(f"/api/photos?{query}", "POST", content)

    def photo(self, path: Path, visitor: str = VISITOR) -> str:
        """Upload a photograph; its identity, once it is ready."""
        answer = self.upload(path.name, path.read_bytes(), visitor)
        assert answer.status == 201, answer.body
        self.wait(answer.json["id"])
        return str(answer.json["id"])

    def wait(self, identity: str) -> None:
        """Wait until a photograph is ready."""
        end = time.monotonic() + 30
        while (state := self.ask(f"/api/photos/{identity}").json["state"]) == "waiting":
            assert time.monotonic() < end
            time.sleep(0.02)
        assert state == "ready"


@contextmanager
def serving(
    folder: Path,
    *,
    photos: tuple[Path, ...] = (),
    enhancers: "dict[str, PhotoEnhancer | ShippedEnhancer] | None" = None,
    runs: Path | None = None,
    max_pixels: int = 10**7,
    host: str = "127.0.0.1",
    token: str | None = None,
    keep_work: float = 10,
    keep_photos: float = 100,
) -> Iterator[Site]:
    """Serve as `tools/web.py` does."""
    album = Album(folder, BUNDLED)
    for path in photos:
        album.add_shared(path)
    loaded = {}
    for name, enhancer in (enhancers or {BUNDLED: choose_enhancer()}).items():
        loaded[name] = Future[PhotoEnhancer | ShippedEnhancer]()
        loaded[name].set_result(enhancer)
    workbench = Workbench(loaded, Guide(), max_pixels)
    visits = Visits(album, workbench, keep_work, keep_photos)
    app = Guard(build_app(Desk(visits), Records(runs or folder / "runs")), host, token)
    listener = socket.create_server(("127.0.0.1", 0))
    # Its own settings of logs would close the files of MMEngine's.
    settings = uvicorn.Config(
        app, log_config=None, log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Site(listener.getsockname()[1], visits)
    finally:
        server.should_exit = True
        thread.join()


def backlit(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture (H, W, 3), uint8, dark at its left and bright at its right, with some texture."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(20, 230, width)[None, :, None] * np.array([1.0, 0.9, 0.8])
    rows, columns = (smooth(length, rng) for length in (height, width))
    return (ramp + rows[:, None, None] + columns[None, :, None]).clip(0, 255).astype(np.uint8)


def smooth(length: int, rng: np.random.Generator) -> np.ndarray:
    return 10 * np.sin(np.arange(length) / rng.uniform(8, 16) + rng.uniform(0, 6))


def backlit_file(path: Path, height: int = 300, width: int = 400, seed: int = 0) -> Path:
    write_photo(path, backlit(height, width, seed))
    return path
