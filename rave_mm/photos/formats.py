"""The formats of photograph files: told by a file's first bytes, and what each can hold."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

HEAD = 64
"""How many of a file's first bytes tell its format."""


@dataclass(frozen=True)
class Format:
    """A format of photograph files.

    Attributes:
        name: As people call it.
        extensions: Of its files, the usual one first.
        alpha: Whether it holds transparency.
        deep: Whether it holds more than 8 bits per channel.
        written_as: The name of the format that results get, where this one is not written.
        package: What must be installed to read it, beside the requirements.
    """

    name: str
    extensions: tuple[str, ...]
    alpha: bool = True
    deep: bool = False
    written_as: str = ""
    package: str = ""

    @property
    def missing(self) -> str:
        """How to install the package that reads it, if that is not there; else empty."""
        if not self.package or importlib.util.find_spec(self.package) is not None:
            return ""
        return f"{self.name} needs {self.package}: pip install {self.package.replace('_', '-')}"


JPEG = Format("JPEG", (".jpg", ".jpeg"), alpha=False)
PNG = Format("PNG", (".png",), deep=True)
TIFF = Format("TIFF", (".tif", ".tiff"), deep=True)
WEBP = Format("WebP", (".webp",))
AVIF = Format("AVIF", (".avif",), deep=True)
GIF = Format("GIF", (".gif",), written_as="PNG")
BMP = Format("BMP", (".bmp",), alpha=False)
HEIC = Format("HEIC", (".heic", ".heif", ".hif"), package="pillow_heif")
RAW = Format(
    "camera RAW",
    (".dng", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"),
    written_as="TIFF",
    package="rawpy",
)

FORMATS = (JPEG, PNG, TIFF, WEBP, AVIF, GIF, BMP, HEIC, RAW)


def photo_extensions() -> tuple[str, ...]:
    """The extensions of all files that can be read here and now."""
    return tuple(end for known in FORMATS if not known.missing for end in known.extensions)


def format_of_name(name: Path | str) -> Format | None:
    """The format that a file's extension stands for, in either case; None for an unknown one."""
    suffix = Path(name).suffix.lower()
    return next((known for known in FORMATS if suffix in known.extensions), None)


def format_of_file(path: Path) -> Format | None:
    """The format of a file by its first bytes, whatever it is called; None for an unknown one.

    Most RAW files begin as a TIFF does, so there the extension decides.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    named = format_of_name(path)
    if named is RAW and head:
        return RAW
    for known, starts in (
        (JPEG, (b"\xff\xd8\xff",)),
        (PNG, (b"\x89PNG\r\n\x1a\n",)),
        (TIFF, (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
        (GIF, (b"GIF87a", b"GIF89a")),
        (BMP, (b"BM",)),
    ):
        if head.startswith(starts):
            return known
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        # The first brand may be a general one, such as mif1; the others say more.
        brands = {head[start : start + 4] for start in range(8, HEAD, 4)}
        if brands & {b"avif", b"avis"}:
            return AVIF
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1"}:
            return HEIC
    return None


def result_format(source: Format) -> Format:
    """The format that the result of a photograph of some format gets."""
    if not source.written_as:
        return source
    return next(known for known in FORMATS if known.name == source.written_as)
