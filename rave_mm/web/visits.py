"""Who has the page open: what is done for their photographs, and what goes with them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from anyio import CapacityLimiter, to_thread

from rave_mm.inference.photo_outcome import failures, told
from rave_mm.web.album import Album, Item, Visitor
from rave_mm.web.workbench import Workbench

# After a page is closed or reloaded: what waits is dropped soon, its photographs later.
_WORK_SECONDS = 10.0
_PHOTO_SECONDS = 3600.0
_HEARTBEAT = 15.0

_LOGGER = logging.getLogger(__name__)


class Visits:
    """Prepares uploads one after another while their page is open, and tells it how far they are.

    Args:
        album: The photographs.
        workbench: What prepares them.
        keep_work: Seconds that work goes on for after its page has gone.
        keep_photos: Seconds that uploads are kept for after that.
    """

    def __init__(
        self,
        album: Album,
        workbench: Workbench,
        keep_work: float = _WORK_SECONDS,
        keep_photos: float = _PHOTO_SECONDS,
    ) -> None:
        self.album = album
        self.workbench = workbench
        self._keep_work, self._keep_photos = keep_work, keep_photos
        self._turn = CapacityLimiter(1)

    async def events(self, identity: str) -> AsyncIterator[str]:
        """What becomes of a visitor's photographs, as server-sent events, until its page goes."""
        visitor = self.album.visitor(identity)
        listener: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        visitor.listeners.add(listener)
        if visitor.leaving is not None:
            visitor.leaving.cancel()
            visitor.leaving = None
        try:
            for item in self.album.of(identity):
                if item.owner is None:  # the folder's are there from the start
                    continue
                if item.state == "waiting":
                    self.prepare(item)
                yield _event(item.told())
            while True:
                try:
                    yield _event(await asyncio.wait_for(listener.get(), _HEARTBEAT))
                except asyncio.TimeoutError:
                    yield ": still there\n\n"
        finally:
            visitor.listeners.discard(listener)
            if not visitor.listeners:
                self._later(visitor, self._keep_work, self._stop_work, identity)

    def _later(
        self, visitor: Visitor, seconds: float, action: Callable[[str], None], identity: str
    ) -> None:
        visitor.leaving = asyncio.get_running_loop().call_later(seconds, action, identity)

    def _stop_work(self, identity: str) -> None:
        """Drop what waits for a page that has gone; it is taken up again if that comes back."""
        visitor = self.album.visitor(identity)
        for task in visitor.work.values():
            task.cancel()
        visitor.work.clear()
        self._later(visitor, self._keep_photos, self._remove_all, identity)

    def _remove_all(self, identity: str) -> None:
        for item in self.album.of(identity):
            if item.owner == identity:
                self.forget(item)
        self.album.visitors.pop(identity, None)

    def forget(self, item: Item) -> None:
        """Remove an upload with all that was made of it."""
        self.workbench.forget(item)
        self.album.remove(item)

    def prepare(self, item: Item) -> None:
        """Have a photograph prepared when it is its turn."""
        assert item.owner is not None
        visitor = self.album.visitor(item.owner)
        if item.identity not in visitor.work:
            visitor.work[item.identity] = asyncio.create_task(self._prepared(item))
        if not visitor.listeners and visitor.leaving is None:  # its page went meanwhile
            self._later(visitor, self._keep_work, self._stop_work, item.owner)

    async def _prepared(self, item: Item) -> None:
        try:
            await to_thread.run_sync(self.workbench.prepare, item, limiter=self._turn)
            item.state = "ready"
        except failures() as error:
            item.state, item.reason = "failed", told(error)
        except Exception as error:
            _LOGGER.exception("%s", item.path.name)
            item.state, item.reason = "failed", f"{type(error).__name__}: {error}"
        assert item.owner is not None
        self.album.visitor(item.owner).work.pop(item.identity, None)
        self.album.tell(item)


def _event(content: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"
