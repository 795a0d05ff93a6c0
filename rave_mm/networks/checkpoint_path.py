"""What names a checkpoint, a path or an address, before anything slow is imported to read it."""

from pathlib import Path


def is_address(checkpoint: str | Path) -> bool:
    """Whether it is no path."""
    return "://" in str(checkpoint)


def check_is_there(checkpoint: str | Path) -> None:
    """Refuse a path where there is no file; an address is not asked.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not is_address(checkpoint) and not Path(checkpoint).is_file():
        raise FileNotFoundError(
            f"no checkpoint {checkpoint} (looked from {Path.cwd()}); expected the path or address "
            "of one that training wrote, or of a published one of RAVE or CLIP-LIT"
        )
