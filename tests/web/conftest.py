"""A server for the tests of a module, and a browser for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.site import Site, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serves the bundled network."""
    with serving(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the photos of a module's tests."""
    return tmp_path_factory.mktemp("photos")
