"""Computes what the page shows and what it downloads; every method may be called in any thread."""

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import pyvips

from rave_mm.inference.photo_jobs import plan_jobs
from rave_mm.inference.photo_run import PhotoRun
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.inference.small_view import FloatArray, LightLines
from rave_mm.inference.windows import Window
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.photo import Photo
from rave_mm.photos.reading import open_photo
from rave_mm.web import views
from rave_mm.web.album import Item
from rave_mm.web.guide import Guide

if TYPE_CHECKING:
    from rave_mm.inference.photo_enhancer import PhotoEnhancer

Enhancers: TypeAlias = "dict[str, Future[PhotoEnhancer | ShippedEnhancer]]"
"""What enhances, by the name that the page shows; it may still be loading."""

KINDS = ("before", "after", "light-map")
"""What there is to see of a photograph."""

# A screen copy of 1600 pixels takes 6 MB, and 7 for each light map that was looked at.
_SCREEN_COPIES = 16
# Photographs that parts are shown of lie decoded in files.
_WHOLE = 3
_RESULTS = 32

T = TypeVar("T")


class Recent(Generic[T]):
    """What was made for the last few photographs; it is made once, however many ask at once.

    Args:
        room: For how many.
        let_go: What is done with one that has to go.
    """

    def __init__(self, room: int, let_go: Callable[[T], object] = lambda _: None) -> None:
        self._room, self._let_go = room, let_go
        self._made: OrderedDict[str, T] = OrderedDict()
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """What was made under a key, or is now."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._made:
                    self._made.move_to_end(key)
                    return self._made[key]
            made = make()
            with self._lock:
                self._made[key] = made
                gone = []
                while len(self._made) > self._room:
                    old, thing = self._made.popitem(last=False)
                    self._making.pop(old, None)
                    gone.append(thing)
        for thing in gone:
            self._let_go(thing)
        return made

    def forget(self, key: str) -> None:
        """Let go what was made under a key."""
        with self._lock:
            self._making.pop(key, None)
            made = [self._made.pop(key)] if key in self._made else []
        for thing in made:
            self._let_go(thing)


class Workbench:
    """Enhances the photographs of an album.

    Args:
        enhancers: By the name that the page shows; each looks at a small view. Whoever asks for
            one that is not loaded yet waits for it.
        guide: Scores light; None not to.
        max_pixels: Photographs of more are refused.
    """

    def __init__(
        self,
        enhancers: "Enhancers",
        guide: Guide | None,
        max_pixels: int,
    ) -> None:
        self.enhancers = enhancers
        self.max_pixels = max_pixels
        self._guide = guide
        self._screens: Recent[views.ScreenCopy] = Recent(_SCREEN_COPIES)
        self._wholes: Recent[Path] = Recent(_WHOLE, lambda path: path.unlink(missing_ok=True))
        self._results: Recent[Path] = Recent(
            _RESULTS, lambda path: shutil.rmtree(path.parent, True)
        )
        self._lines: dict[str, Recent[LightLines]] = {}

    def open(self, item: Item) -> Photo:
        """Read a photograph's header, unless that was done.

        Raises:
            UnreadablePhotoError: It is no photograph, is damaged, or is too large.
        """
        if item.photo is None:
            item.photo = open_photo(item.path, self.max_pixels)
        return item.photo

    def prepare(self, item: Item) -> None:
        """Do all that takes a while before a photograph and its result can be shown.

        Raises:
            Whatever is in :func:`rave_mm.inference.photo_outcome.failures`.
        """
        self.open(item)
        self._screen(item)
        self._light(item, item.enhancer)

    def picture(self, item: Item, kind: str, name: str, strength: float, side: int) -> bytes:
        """A photograph, its result or its light map, as JPEG.

        Args:
            item: The photograph.
            kind: One of :data:`KINDS`.
            name: Of the enhancer.
            strength: Of the result.
            side: Of the picture's long side, at most :data:`views.SCREEN_SIDE`.

        Raises:
            ValueError: `strength` is out of range.
            Whatever is in :func:`rave_mm.inference.photo_outcome.failures`.
        """
        screen = self._screen(item)
        if kind == "before":
            shown = screen.srgb
        elif kind == "after":
            shown = screen.enhanced(self._light_map(item, name), strength)
        else:
            shown = views.light_map_picture(self._light_map(item, name))
        return views.jpeg(shown, side)

    def part(
        self, item: Item, kind: str, name: str, strength: float, window: Window, scale: float
    ) -> bytes:
        """A part of a photograph or of its result, in its own pixels, as JPEG.

        Raises:
            ValueError: The part is not within the photograph, or is too large.
            Whatever is in :func:`rave_mm.inference.photo_outcome.failures`.
        """
        photo, whole = self.open(item), self._whole(item)
        lines = self._light(item, name) if kind == "after" else None
        return views.jpeg(views.enhanced_part(photo, whole, window, scale, lines, strength))

    def figures(self, item: Item, name: str, strength: float) -> dict[str, Any]:
        """Histograms, signs of failure, the range of the light map, and the guide's scores.

        Raises:
            ValueError: `strength` is out of range.
            Whatever is in :func:`rave_mm.inference.photo_outcome.failures`.
        """
        screen, light_map = self._screen(item), self._light_map(item, name)
        before, after = screen.srgb, screen.enhanced(light_map, strength)
        signs = views.failure_signs(before, after)
        return {
            "histograms": {"before": views.histograms(before), "after": views.histograms(after)},
            "signs": {**asdict(signs), "suspect": signs.suspect},
            "light_map": {"lowest": float(light_map.min()), "highest": float(light_map.max())},
            "scores": self._guide
            and {"before": self._guide.score(before), "after": self._guide.score(after)},
        }

    def result(self, item: Item, name: str, strength: float) -> Path:
        """Enhance a photograph at its full size, as ``rave-mm enhance`` does.

        Returns:
            The file, which has the photograph's format, depth, colours and metadata.

        Raises:
            ValueError: `strength` is out of range.
            UnreadablePhotoError: It could not be enhanced; the message says why.
        """
        out = item.folder / f"{list(self.enhancers).index(name)}-{strength:g}"
        return self._results.get(str(out), lambda: self._enhance(item, name, strength, out))

    def _enhance(self, item: Item, name: str, strength: float, out: Path) -> Path:
        (job,) = plan_jobs([item.path], out).jobs
        run = PhotoRun(self.enhancers[name].result(), strength=strength, max_pixels=self.max_pixels)
        (outcome,) = run([job])
        if outcome.status == "failed":
            raise UnreadablePhotoError(item.path, outcome.reason)
        return job.target

    def forget(self, item: Item) -> None:
        """Let go all that was kept for a photograph in memory."""
        self._screens.forget(item.identity)
        self._wholes.forget(item.identity)
        self._lines.pop(item.identity, None)

    def _screen(self, item: Item) -> views.ScreenCopy:
        photo = self.open(item)

        def reduce() -> views.ScreenCopy:
            return views.ScreenCopy.of(photo, self._stored(item, views.SCREEN_SIDE))

        return self._screens.get(item.identity, reduce)

    def _light_map(self, item: Item, name: str) -> FloatArray:
        return self._screen(item).light_map(name, self._light(item, name))

    def _light(self, item: Item, name: str) -> LightLines:
        photo, enhancer = self.open(item), self.enhancers[name].result()
        side = enhancer.light_map_side
        assert side is not None

        def look() -> LightLines:
            return enhancer.see(self._stored(item, side), photo.colour)[1]

        kept = self._lines.setdefault(item.identity, Recent(len(self.enhancers)))
        return kept.get(name, look)

    def _stored(self, item: Item, long_side: int) -> pyvips.Image:
        """The pixels of a photograph, no smaller than asked for."""
        photo = self.open(item)
        if photo.header.by_rows:
            return views.stored_colours(photo, photo.shrink_for(long_side))
        return self._whole(item)  # decoded once for all that is shown

    def _whole(self, item: Item) -> pyvips.Image:
        photo = self.open(item)
        path = self._wholes.get(item.identity, lambda: self._decode(item, photo))
        return pyvips.Image.new_from_file(str(path))

    def _decode(self, item: Item, photo: Photo) -> Path:
        if item.owner is None:
            item.folder.mkdir(exist_ok=True)
        path = item.folder / "whole.v"
        views.stored_colours(photo).write_to_file(str(path))
        return path
