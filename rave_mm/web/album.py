"""The photographs that are open in browsers, and whose they are."""

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rave_mm.photos.photo import Photo


@dataclass
class Item:
    """A photograph in the album.

    Attributes:
        identity: Nobody guesses it, so whoever has it may see the photograph.
        path: The file, which is never changed.
        owner: Whose upload it is; None for one of the folder that everybody may see.
        folder: Where its results go, and its upload; it is removed with the photograph.
        state: "waiting", "ready" or "failed".
        reason: Why it failed.
        photo: Its header, once that has been read.
        strength: That it is downloaded with.
        enhancer: The name of what it is downloaded from.
    """

    identity: str
    path: Path
    owner: str | None
    folder: Path
    enhancer: str
    state: str = "waiting"
    reason: str = ""
    photo: Photo | None = None
    strength: float = 1.0

    def told(self) -> dict[str, Any]:
        """What the page is told of it."""
        height, width = self.photo.size if self.photo else (0, 0)
        return {
            "id": self.identity,
            "name": self.path.name,
            "mine": self.owner is not None,
            "state": self.state,
            "reason": self.reason,
            "width": width,
            "height": height,
            "format": self.photo.format.name if self.photo else "",
            "bits": 16 if self.photo and self.photo.header.deep else 8,
            "notes": list(self.photo.notes) if self.photo else [],
            "strength": self.strength,
            "enhancer": self.enhancer,
        }


@dataclass
class Visitor:
    """A page that is open, or was a moment ago.

    Attributes:
        listeners: One queue for each connection over which the page is told what changed.
        work: What is being done for its photographs.
    """

    listeners: set[asyncio.Queue[dict[str, Any]]] = field(default_factory=set)
    work: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    leaving: asyncio.TimerHandle | None = None


class Album:
    """All photographs, by identity.

    Args:
        folder: For uploads and results.
        enhancer: The name of what enhances, unless the page asks for another.
    """

    def __init__(self, folder: Path, enhancer: str) -> None:
        self.folder = folder
        self.enhancer = enhancer
        self.visitors: dict[str, Visitor] = {}
        self._items: dict[str, Item] = {}

    def add_shared(self, path: Path) -> Item:
        """Add a photograph that everybody may see and nobody may remove."""
        identity = secrets.token_urlsafe(12)
        item = Item(identity, path, None, self.folder / identity, self.enhancer, "ready")
        self._items[identity] = item
        return item

    @contextlib.contextmanager
    def adding(self, owner: str, name: str) -> Iterator[Item]:
        """Give an upload its place; what came in is removed if anything fails meanwhile.

        Args:
            owner: The visitor.
            name: Of its file, and free of anything that is not a name.
        """
        identity = secrets.token_urlsafe(12)
        folder = self.folder / identity
        folder.mkdir()
        item = Item(identity, folder / name, owner, folder, self.enhancer)
        try:
            yield item
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._items[identity] = item

    def get(self, identity: str) -> Item | None:
        """A photograph, or None if it is not there (any more)."""
        return self._items.get(identity)

    def of(self, visitor: str) -> list[Item]:
        """What a visitor sees: the folder's photographs, then those that it brought."""
        shared = [item for item in self._items.values() if item.owner is None]
        return shared + [item for item in self._items.values() if item.owner == visitor]

    def remove(self, item: Item) -> None:
        """Forget an upload with all its files, and stop what is being done for it."""
        self._items.pop(item.identity, None)
        if item.owner is not None:
            work = self.visitors[item.owner].work.pop(item.identity, None)
            if work is not None:
                work.cancel()
        shutil.rmtree(item.folder, ignore_errors=True)

    def visitor(self, identity: str) -> Visitor:
        """The visitor of that identity."""
        return self.visitors.setdefault(identity, Visitor())

    def tell(self, item: Item) -> None:
        """Tell the pages of an upload's owner what has become of it."""
        assert item.owner is not None
        for listener in self.visitor(item.owner).listeners:
            listener.put_nowait(item.told())
