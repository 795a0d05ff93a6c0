"""Starts the page's server, and cleans up after it."""

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from rave_mm.runtime.folder_in_use import only_run_in

_PREFIX = "rave_mm-web-"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that goes with the process; those of processes that were killed go now."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), only_run_in(left):  # in use, or somebody else's
            shutil.rmtree(left, ignore_errors=True)
    made = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    with made as name, only_run_in(Path(name)):
        yield Path(name)


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 for any that is free.

    Raises:
        OSError: It is taken, or the host is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}; name another with "
            "--port, or --port 0 for any that is free"
        ) from error


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_config=None,  # which would close the handlers of all other loggers
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,  # pages that are open hold a connection for as long
    )
    uvicorn.Server(config).run(sockets=[listener])
