"""What is installed only with an extra of this package, such as PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager

HOW_TO_INSTALL = {
    # MMagic's own requirements need a compiler; none of them is imported here.
    "train": "Install what training needs with\n"
    "  pip install 'rave_mm[train]' && pip install --no-deps mmagic==1.2.0",
    "export": "Install what exports need with\n  pip install 'rave_mm[export]'",
    "ray": "Install Ray Data with\n  pip install 'rave_mm[ray]'",
    "web": "Install what the page in the browser needs with\n  pip install 'rave_mm[web]'",
}
"""What to do for each extra."""


class MissingExtraError(ImportError):
    """A package that only an extra brings is not installed."""


@contextmanager
def needs(extra: str, why: str) -> Iterator[None]:
    """Import what an extra brings.

    Args:
        extra: Its name, such as "train".
        why: What is wanted of it, as a sentence without its full stop.

    Raises:
        MissingExtraError: A package is not installed; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "rave_mm":
            raise
        raise MissingExtraError(
            f"{why}, but {error.name} is not installed. {HOW_TO_INSTALL[extra]}", name=error.name
        ) from error
