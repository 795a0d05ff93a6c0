"""What becomes of a photograph: it is done, skipped, or has failed, and why."""

import sys
from dataclasses import dataclass

import pyvips

from rave_mm.inference.failure_signs import FailureSigns
from rave_mm.inference.photo_jobs import PhotoJob
from rave_mm.photos.errors import UnreadablePhotoError, reason


@dataclass(frozen=True)
class Outcome:
    """What became of a photograph.

    Attributes:
        job: The photograph and its files.
        status: "done", "skipped" (its files were there) or "failed".
        reason: Why it failed.
        pixels: Its height times width, if done.
        signs: Signs that the enhancement failed, if done.
        notes: What of its file is not kept, in words.
    """

    job: PhotoJob
    status: str
    reason: str = ""
    pixels: int = 0
    signs: FailureSigns | None = None
    notes: tuple[str, ...] = ()


def failures() -> tuple[type[BaseException], ...]:
    """What one photograph may fail with while the others go on."""
    found = (UnreadablePhotoError, OSError, ValueError, MemoryError, pyvips.Error)
    torch = sys.modules.get("torch")  # where it is not imported, it cannot have failed
    return found if torch is None else (*found, torch.OutOfMemoryError)


def told(error: BaseException) -> str:
    """Why a photograph failed with one of :func:`failures`, in words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory ({str(error).splitlines()[0] if str(error) else 'main memory'})"
    if isinstance(error, pyvips.Error):
        return f"damaged or cut short: {reason(error)}"
    return error.reason if isinstance(error, UnreadablePhotoError) else str(error)
