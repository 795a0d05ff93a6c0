"""Where figures come from: photos, weights and versions, as hashes and numbers."""

import hashlib
import platform
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rave_mm import __version__
from rave_mm.networks.checkpoint_path import is_address
from rave_mm.networks.fetched_checkpoint import kept_at
from rave_mm.runtime.file_hash import file_sha256

PACKAGES = (
    "torch",
    "torchvision",
    "mmengine",
    "mmcv-lite",
    "mmcv",
    "mmagic",
    "lpips",
    "pyiqa",
    "scikit-image",
    "scipy",
    "numpy",
    "opencv-python",
    "pillow",
)


@dataclass(frozen=True)
class PhotoFiles:
    """The files that a test was of.

    Attributes:
        list_sha256: Of the names of the backlit photos, sorted by byte, each with a line feed, as
            ``ls | LC_ALL=C sort | sha256sum`` gives it.
        content_sha256: Of the contents' hashes of all photos, ground truth included.
        equal: Names of backlit photos that have one content, for each content that has several.
    """

    list_sha256: str
    content_sha256: str
    equal: list[list[str]]


def look_at_files(photos: Sequence[Path], truths: Sequence[Path]) -> PhotoFiles:
    """Hash the photos of a test, and find those that are there twice.

    Args:
        photos: Backlit photos.
        truths: Their ground truth, as many; or none.
    """
    names = b"".join(sorted(path.name.encode() + b"\n" for path in photos))
    hashes = [file_sha256(path) for path in photos]
    by_content: dict[str, list[str]] = defaultdict(list)
    for path, digest in zip(photos, hashes, strict=True):
        by_content[digest].append(path.name)
    beside = [file_sha256(path) for path in truths] if truths else [""] * len(photos)
    pairs = sorted(
        f"{path.name} {own} {other}\n"
        for path, own, other in zip(photos, hashes, beside, strict=True)
    )
    return PhotoFiles(
        list_sha256=hashlib.sha256(names).hexdigest(),
        content_sha256=hashlib.sha256("".join(pairs).encode()).hexdigest(),
        equal=[sorted(equal) for equal in by_content.values() if len(equal) > 1],
    )


def checkpoint_sha256(checkpoint: str) -> str | None:
    """The SHA-256 of a checkpoint; None where its file is not on this machine.

    Args:
        checkpoint: A path, or an address that was fetched.
    """
    path = kept_at(checkpoint) if is_address(checkpoint) else Path(checkpoint)
    return file_sha256(path) if path.is_file() else None


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The versions of this package, of Python, and of those packages that are installed."""
    found = {"rave_mm": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
