"""How much memory a run has for photographs, and how much each of them takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.photos.colour import SRGB, image_of
from rave_mm.photos.formats import BMP, JPEG, PNG, TIFF, format_of_name
from rave_mm.photos.photo import Photo
from rave_mm.runtime.memory import give_back_freed_memory, resident_memory, usual_memory

if TYPE_CHECKING:
    from rave_mm.inference.photo_enhancer import PhotoEnhancer

# On a CPU the network gets this much at least before the next photograph is read beside it.
_NETWORK_MEMORY = 250 * 10**6
_LEAST_NETWORK_MEMORY = 20 * 10**6
# What libvips holds of a photograph while it reads or writes.
_ROWS_HELD = 500


@dataclass(frozen=True)
class PhotoMemory:
    """What a run may hold, in bytes.

    Attributes:
        spare: Main memory for photographs, and on a CPU for the network.
        on_device: Memory of a GPU for the network; None where that shares main memory.
    """

    spare: int
    on_device: int | None = None

    @classmethod
    def of_run(
        cls,
        enhancer: "PhotoEnhancer | ShippedEnhancer",
        max_memory: int | None = None,
        sharing: int = 1,
    ) -> "PhotoMemory":
        """What there is, as :class:`rave_mm.inference.photo_run.PhotoRun` has it.

        Raises:
            ValueError: `max_memory` is less than the program itself takes.
        """
        spare = usual_memory(sharing=sharing)
        if enhancer.device is not None and enhancer.device.type != "cpu":
            return cls(spare, max_memory or usual_memory(enhancer.device))
        if max_memory is not None:
            give_back_freed_memory()
            # The first run of the network brings in code that stays.
            some = np.zeros((64, 64, 3), np.uint8)
            if enhancer.sees_small(64, 64):
                enhancer.see(image_of(some), SRGB)
            else:
                enhancer.enhance_pixels(some)
            resident = resident_memory()
            spare = max_memory - resident
            if spare <= 0:
                raise ValueError(
                    f"got {max_memory / 1e6:.0f} MB of memory; expected more than the "
                    f"{resident / 1e6:.0f} MB that this program takes without a "
                    "photograph"
                )
        return cls(spare)

    @property
    def room(self) -> int:
        """For photographs that are held beside each other, the network aside."""
        return self.spare - (_NETWORK_MEMORY if self.on_device is None else 0)

    def for_network(self, held: int) -> int:
        """What is left for the network where photographs hold so much."""
        return self.spare - held if self.on_device is None else self.on_device

    def needed_by(self, photo: Photo, job: PhotoJob) -> int:
        """What a photograph takes.

        Raises:
            ValueError: It is more than there is.
        """
        needed = memory_of_photo(photo, job)
        least = needed + (_LEAST_NETWORK_MEMORY if self.on_device is None else 0)
        if least > self.spare:
            raise ValueError(
                f"{job.source} takes about {least / 1e6:.0f} MB, but {self.spare / 1e6:.0f} MB are "
                f"to spare; allow {(least - self.spare) / 1e6:.0f} MB more memory"
            )
        return needed


def memory_of_photo(photo: Photo, job: PhotoJob) -> int:
    """Bytes that reading, enhancing and writing a photograph take at most, the network aside."""
    header, (height, width) = photo.header, photo.size
    channels, size = header.channels + header.alpha, 2 if header.deep else 1
    # The photograph and its result; beside one of them, a copy that is turned, or gets its alpha.
    copies = 2 + (header.orientation > 1 or header.alpha)
    # Encoders of the other formats want the whole photograph, in forms of their own.
    encoder = 0 if format_of_name(job.target) in (JPEG, PNG, TIFF, BMP) else 12
    light_map = 2 if job.light_map else 0
    per_pixel = channels * size
    held = height * width * (per_pixel * copies + encoder + light_map)
    return held + _ROWS_HELD * header.width * per_pixel
