"""tools/web.py starts, says where it is and what is wrong, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tools.loading import TOOLS
from tests.web.site import backlit_file


@contextmanager
def started(temporary: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, str(TOOLS / "web.py"), "--port", "0", *arguments],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_leaves_nothing(tmp_path: Path, by: signal.Signals) -> None:
    backlit_file(tmp_path / "photos" / "a.jpg")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with started(temporary, "--photos", str(tmp_path / "photos")) as (process, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        assert b"<title>rave_mm" in fetched(url)
        assert b'"name":"a.jpg"' in fetched(url + "api/photos?visitor=0123456789abcdef")
        assert len(list(temporary.iterdir())) == 1
        process.send_signal(by)
        assert process.wait(20) == 0
    assert list(temporary.iterdir()) == []


def test_what_a_killed_one_left_goes_with_the_next(tmp_path: Path) -> None:
    """And what one holds that runs stays."""
    with started(tmp_path) as (first, _), started(tmp_path) as (second, _):
        assert len(list(tmp_path.iterdir())) == 2
        first.kill()
        first.wait()
        with started(tmp_path) as (third, _):
            assert len(list(tmp_path.iterdir())) == 2
            for process in (second, third):
                process.terminate()
                process.wait(20)
    assert list(tmp_path.iterdir()) == []


def test_others_need_the_token(tmp_path: Path) -> None:
    with started(tmp_path, "--host", "0.0.0.0") as (_, address):
        url, _, token = address.partition("?token=")
        assert len(token) > 20
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetched(url)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--photos", "missing"], "missing"),
        (["--checkpoint", "missing.pth"], "missing.pth"),
        (["--checkpoint", "setup.py"], "setup.py is no checkpoint"),
        (["--guide", "setup.py"], "setup.py is no guide"),
        (["--host", "203.0.113.9"], "cannot listen at 203.0.113.9"),
    ],
)
def test_what_is_wrong_is_told_at_the_start(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(TOOLS / "web.py"), "--port", "0", *arguments],
        capture_output=True, text=True, check=False, cwd=TOOLS.parent,
    )  # fmt: skip
    assert done.returncode == 1
    *warnings, told = done.stderr.splitlines()  # PyTorch 2.4 warns whatever one says
    assert told.startswith("tools/web.py: ") and sentence in told
    assert not any("Traceback" in line for line in warnings)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(TOOLS / "web.py"), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"port {port}" in done.stderr and "--port 0" in done.stderr
