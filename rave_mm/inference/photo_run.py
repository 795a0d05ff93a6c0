"""Enhances many photographs: reading, network and writing at the same time, memory bounded."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from rave_mm.inference.compared import side_by_side
from rave_mm.inference.failure_signs import FailureMeter, FailureSigns
from rave_mm.inference.light_map_strength import check_strength
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.photo_memory import PhotoMemory
from rave_mm.inference.photo_outcome import Outcome, failures, told
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.inference.streaming import can_stream, enhance_by_rows
from rave_mm.photos.metadata import Metadata
from rave_mm.photos.photo import LoadedPhoto, Photo
from rave_mm.photos.reading import open_photo
from rave_mm.photos.writing import check_can_hold, write_photo
from rave_mm.runtime.memory import (
    MAX_PIXELS,
)

if TYPE_CHECKING:
    from rave_mm.inference.photo_enhancer import PhotoEnhancer

_LOGGER = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class _Result:
    pixels: np.ndarray
    light_map: np.ndarray | None
    signs: FailureSigns


@dataclass(frozen=True)
class _Step(Generic[T]):
    """What is done for a photograph in another thread, and the memory that the photograph takes."""

    photo: Photo
    memory: int
    future: Future[T]

    def result(self) -> T:
        return self.future.result()


class PhotoRun:
    """Enhances photographs one after another, each step in a thread of its own.

    While one photograph is enhanced, the one before it is written and the next one read, as far
    as memory allows.

    Args:
        enhancer: The network and its device.
        strength: As for :meth:`PhotoEnhancer.enhance`.
        replace: Enhance also what is there already.
        max_memory: On a CPU, bytes of main memory that the process may hold, all told. On a GPU,
            bytes of its memory that the network may take; main memory then has its default. None
            for half of what is free, at most 8 GB.
        sharing: How many processes share the machine, for the default.
        max_pixels: Photographs of more pixels fail, see :func:`open_photo`.

    Raises:
        ValueError: `strength` is out of range, or the memory is less than the program itself
            takes.
    """

    def __init__(
        self,
        enhancer: "PhotoEnhancer | ShippedEnhancer",
        *,
        strength: float = 1.0,
        replace: bool = False,
        max_memory: int | None = None,
        sharing: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        check_strength(strength)
        self.max_pixels = max_pixels
        self.enhancer = enhancer
        self.strength = strength
        self.replace = replace
        self.memory = PhotoMemory.of_run(enhancer, max_memory, sharing)

    def __call__(self, jobs: Sequence[PhotoJob]) -> Iterator[Outcome]:
        """Enhance photographs.

        Args:
            jobs: What to read and where to write.

        Yields:
            The outcome of each job: the skipped ones first, the others as they are finished.
        """
        waiting = []
        for job in jobs:
            if not self.replace and job.done:
                yield Outcome(job, "skipped")
            else:
                waiting.append(job)
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            reading: _Step[LoadedPhoto] | None = None
            writing: _Step[Outcome] | None = None
            for index, job in enumerate(waiting):
                try:
                    if reading is None and (outcome := self._by_rows(job)):
                        yield outcome
                        continue
                    if reading is None:
                        photo, needed = self._open(job)
                        if writing and needed + writing.memory > self.memory.room:
                            yield writing.result()
                            writing = None
                        reading = _Step(photo, needed, reader.submit(_load, photo, job))
                    photo, needed, loaded = reading.photo, reading.memory, reading.result()
                except failures() as error:
                    reading = None
                    yield Outcome(job, "failed", told(error))
                    continue
                held = needed + (writing.memory if writing else 0)
                reading = self._read_ahead(waiting[index + 1 : index + 2], held, reader)
                held += reading.memory if reading else 0
                try:
                    result = self._enhance(job, loaded, held)
                except failures() as error:
                    yield Outcome(job, "failed", told(error))
                    continue
                if writing:
                    yield writing.result()
                write = writer.submit(_write, job, loaded, result, photo.notes)
                writing = _Step(photo, needed, write)
                del loaded, result
            if writing:
                yield writing.result()

    def _by_rows(self, job: PhotoJob) -> Outcome | None:
        """Enhance a photograph by rows, where that can be; else None.

        Raises:
            Whatever is in :func:`failures`.
        """
        if self.enhancer.light_map_side is None:
            return None
        photo = open_photo(job.source, self.max_pixels)
        loses_alpha = photo.header.alpha and not check_can_hold(job.target, None).alpha
        if loses_alpha or not (can_stream(photo) and self.enhancer.sees_small(*photo.size)):
            return None
        _tell(photo)
        memory = self.memory.for_network(held=0)
        signs = enhance_by_rows(photo, job, self.enhancer, self.strength, memory)
        height, width = photo.size
        return Outcome(job, "done", "", height * width, signs, photo.notes)

    def _open(self, job: PhotoJob) -> tuple[Photo, int]:
        """Read a photograph's header, and tell the memory that the rest will take."""
        photo = open_photo(job.source, self.max_pixels)
        return photo, self.memory.needed_by(photo, job)

    def _read_ahead(
        self, jobs: Sequence[PhotoJob], held: int, reader: ThreadPoolExecutor
    ) -> "_Step[LoadedPhoto] | None":
        """Begin to read the next photograph, if there is one, and memory for it.

        Not where it may be enhanced by rows, for which it is not to be held.
        """
        if self.enhancer.light_map_side is not None:
            return None
        for job in jobs:
            try:
                photo, needed = self._open(job)
            except failures():
                return None  # to be told when it is this photograph's turn
            if held + needed <= self.memory.room:
                return _Step(photo, needed, reader.submit(_load, photo, job))
        return None

    def _enhance(self, job: PhotoJob, photo: LoadedPhoto, held: int) -> _Result:
        meter = FailureMeter()
        light_map = np.empty(photo.values.shape[:2], np.uint16) if job.light_map else None
        pixels = self.enhancer.enhance_pixels(
            photo.values,
            self.strength,
            colour=photo.colour,
            max_memory=self.memory.for_network(held),
            meter=meter,
            light_map=light_map,
        )
        return _Result(pixels, light_map, meter.signs())


def _tell(photo: Photo) -> None:
    for note in photo.notes:
        _LOGGER.warning("%s %s", photo.path, note)


def _load(photo: Photo, job: PhotoJob) -> LoadedPhoto:
    _tell(photo)
    loaded = photo.load()
    check_can_hold(job.target, loaded.alpha)  # before minutes are spent on it
    return loaded


def _write(job: PhotoJob, photo: LoadedPhoto, result: _Result, notes: tuple[str, ...]) -> Outcome:
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        if job.light_map and result.light_map is not None:
            write_photo(job.light_map, result.light_map[..., None])
        if job.compare:
            profile = Metadata(icc_profile=photo.colour.icc_profile)
            pictures = side_by_side(photo.values, result.pixels)
            like = LoadedPhoto(pictures, metadata=profile)
            write_photo(job.compare, pictures, like)
        # Last, so that where the result is, everything is.
        write_photo(job.target, result.pixels, photo)
    except failures() as error:
        return Outcome(job, "failed", told(error))
    height, width = photo.values.shape[:2]
    return Outcome(job, "done", pixels=height * width, signs=result.signs, notes=notes)
