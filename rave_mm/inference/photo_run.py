"""Enhances many photographs: reading, network and writing at the same time, memory bounded."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
import torch

from rave_mm.inference.failure_signs import FailureMeter, FailureSigns
from rave_mm.inference.light_map_strength import check_strength
from rave_mm.inference.photo_enhancer import PhotoEnhancer
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.photos.image_files import UnreadablePhotoError
from rave_mm.photos.photo_files import (
    PhotoFile,
    memory_of_photo,
    read_photo_file,
    write_photo_file,
)
from rave_mm.runtime.memory import (
    free_memory,
    give_back_freed_memory,
    resident_memory,
)

# On a CPU the network gets this much at least before the next photograph is read beside it.
_NETWORK_MEMORY = 250 * 10**6
_LEAST_NETWORK_MEMORY = 20 * 10**6
_MOST_MEMORY = 8 * 10**9
_COMPARED_SIDE = 1024

T = TypeVar("T")

FAILURES = (UnreadablePhotoError, OSError, ValueError, MemoryError, torch.OutOfMemoryError)
"""What one photograph may fail with while the others go on."""


@dataclass(frozen=True)
class Outcome:
    """What became of a photograph.

    Attributes:
        job: The photograph and its files.
        status: "done", "skipped" (its files were there) or "failed".
        reason: Why it failed.
        pixels: Its height times width, if done.
        signs: Signs that the enhancement failed, if done.
    """

    job: PhotoJob
    status: str
    reason: str = ""
    pixels: int = 0
    signs: FailureSigns | None = None


@dataclass(frozen=True)
class _Result:
    pixels: np.ndarray
    light_map: np.ndarray | None
    signs: FailureSigns


@dataclass(frozen=True)
class _Step(Generic[T]):
    """What is done for a photograph in another thread, and the memory that the photograph takes."""

    job: PhotoJob
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

    Raises:
        ValueError: `strength` is out of range, or the memory is less than the program itself
            takes.
    """

    def __init__(
        self,
        enhancer: PhotoEnhancer,
        *,
        strength: float = 1.0,
        replace: bool = False,
        max_memory: int | None = None,
        sharing: int = 1,
    ) -> None:
        check_strength(strength)
        self.enhancer = enhancer
        self.strength = strength
        self.replace = replace
        self.on_cpu = enhancer.device.type == "cpu"
        half = free_memory(torch.device("cpu")) // 2 // sharing
        self._spare = min(half, _MOST_MEMORY)
        self._on_device = self._spare
        if not self.on_cpu:
            half = free_memory(enhancer.device) // 2
            self._on_device = max_memory or min(half, _MOST_MEMORY)
        elif max_memory is not None:
            give_back_freed_memory()
            # The first run of the network brings in code that stays.
            enhancer.enhance_pixels(np.zeros((64, 64, 3), np.uint8))
            resident = resident_memory()
            self._spare = max_memory - resident
            if self._spare <= 0:
                raise ValueError(
                    f"got {max_memory / 1e6:.0f} MB of memory; expected more than the "
                    f"{resident / 1e6:.0f} MB that PyTorch and this program take without a "
                    "photograph"
                )

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
            reading: _Step[PhotoFile] | None = None
            writing: _Step[Outcome] | None = None
            for index, job in enumerate(waiting):
                try:
                    if reading is None:
                        needed = self._memory(job)
                        if writing and needed + writing.memory > self._room:
                            yield writing.result()
                            writing = None
                        reading = _Step(job, needed, reader.submit(read_photo_file, job.source))
                    photo, needed = reading.result(), reading.memory
                except FAILURES as error:
                    reading = None
                    yield Outcome(job, "failed", _told(error))
                    continue
                held = needed + (writing.memory if writing else 0)
                reading = self._read_ahead(waiting[index + 1 : index + 2], held, reader)
                held += reading.memory if reading else 0
                try:
                    result = self._enhance(job, photo, held)
                except FAILURES as error:
                    yield Outcome(job, "failed", _told(error))
                    continue
                if writing:
                    yield writing.result()
                writing = _Step(job, needed, writer.submit(_write, job, photo, result))
                del photo, result
            if writing:
                yield writing.result()

    @property
    def _room(self) -> int:
        """Bytes for photographs, when they share main memory with the network."""
        return self._spare - (_NETWORK_MEMORY if self.on_cpu else 0)

    def _memory(self, job: PhotoJob) -> int:
        needed = memory_of_photo(job.source)
        least = _LEAST_NETWORK_MEMORY + self.enhancer.set_aside if self.on_cpu else 0
        if needed + least > self._spare:
            raise ValueError(
                f"{job.source} takes about {(needed + least) / 1e6:.0f} MB, but "
                f"{self._spare / 1e6:.0f} MB are to spare; allow "
                f"{(needed + least - self._spare) / 1e6:.0f} MB more memory"
            )
        return needed

    def _read_ahead(
        self, jobs: Sequence[PhotoJob], held: int, reader: ThreadPoolExecutor
    ) -> "_Step[PhotoFile] | None":
        """Begin to read the next photograph, if there is one, and memory for it."""
        for job in jobs:
            try:
                needed = self._memory(job)
            except FAILURES:
                return None  # to be told when it is this photograph's turn
            if held + needed <= self._room:
                return _Step(job, needed, reader.submit(read_photo_file, job.source))
        return None

    def _enhance(self, job: PhotoJob, photo: PhotoFile, held: int) -> _Result:
        meter = FailureMeter()
        light_map = np.empty(photo.pixels.shape[:2], np.uint16) if job.light_map else None
        memory = self._spare - held if self.on_cpu else self._on_device
        pixels = self.enhancer.enhance_pixels(
            photo.pixels, self.strength, max_memory=memory, meter=meter, light_map=light_map
        )
        return _Result(pixels, light_map, meter.signs())


def _write(job: PhotoJob, photo: PhotoFile, result: _Result) -> Outcome:
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        if job.light_map and result.light_map is not None:
            write_photo_file(job.light_map, PhotoFile(result.light_map[..., None]))
        if job.compare:
            write_photo_file(job.compare, PhotoFile(_side_by_side(photo.pixels, result.pixels)))
        # Last, so that where the result is, everything is.
        write_photo_file(job.target, photo.with_pixels(result.pixels))
    except FAILURES as error:
        return Outcome(job, "failed", _told(error))
    height, width = photo.pixels.shape[:2]
    return Outcome(job, "done", pixels=height * width, signs=result.signs)


def _side_by_side(*pictures: np.ndarray) -> np.ndarray:
    """Pictures of one size beside each other, reduced, as uint8 (h, w, 3)."""
    small = []
    for picture in pictures:
        height, width = picture.shape[:2]
        scale = min(1, _COMPARED_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        reduced = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        reduced = reduced.reshape(size[1], size[0], -1)
        if reduced.dtype == np.uint16:
            reduced = (reduced // 257).astype(np.uint8)
        small.append(np.repeat(reduced, 3 // reduced.shape[2], axis=2))
    return np.concatenate(small, axis=1)


def _told(error: BaseException) -> str:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return f"out of memory ({str(error).splitlines()[0] if str(error) else 'main memory'})"
    return error.reason if isinstance(error, UnreadablePhotoError) else str(error)
