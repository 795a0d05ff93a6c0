"""What comes in is written as it is, and refused in a sentence where it is no photo."""

import io
import re
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rave_mm.web.uploads import most_bytes, safe_name
from tests.web.site import VISITOR, Site, backlit, backlit_file, serving


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Takes a million pixels."""
    with serving(tmp_path_factory.mktemp("small"), max_pixels=10**6) as found:
        yield found


def png(width: int, height: int) -> bytes:
    """A PNG file that says it is large, with a hundred bytes of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        sum_of = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sum_of)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def jpeg(photo: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG")
    return buffer.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSED = {
    "empty.jpg": (b"", 400, "the file is empty"),
    "svg.jpg": (SVG, 415, "not a picture"),
    "page.png": (b"<!DOCTYPE html><script>alert(1)</script>", 415, "not a picture"),
    "image.svg": (SVG, 415, "not a picture"),
    "text.jpg": (b"hello " * 100, 415, "not a picture"),
    "bomb.png": (png(50_000, 50_000), 415, "2500 megapixels, more than the 1"),
    "head.jpg": (b"\xff\xd8\xff\xe0" + bytes(100), 415, "premature end"),
    "archive.zip": (b"PK\x03\x04" + bytes(200), 415, "not a picture"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_is_refused(small_site: Site, name: str) -> None:
    content, status, sentence = REFUSED[name]
    answer = small_site.upload(name, content)
    assert answer.status == status
    assert re.search(sentence, answer.json["error"]), answer.json
    assert small_site.ask(f"/api/photos?visitor={VISITOR}").json == []
    assert list(small_site.visits.album.folder.iterdir()) == [], "and nothing is left of it"


def test_too_many_bytes_are_refused_before_they_are_sent(small_site: Site) -> None:
    size = most_bytes(10**6) + 1
    answer = raw(small_site, f"Content-Length: {size}\r\n\r\n".encode())
    assert b"413" in answer.partition(b"\r\n")[0] and b"--max-pixels" in answer


def test_too_many_bytes_are_refused_where_nobody_said_so(small_site: Site) -> None:
    """In chunks, without a length in front."""
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    count = most_bytes(10**6) // 2**20 + 2
    answer = raw(small_site, b"Transfer-Encoding: chunked\r\n\r\n", chunk, count)
    assert b"413" in answer.partition(b"\r\n")[0]
    assert list(small_site.visits.album.folder.iterdir()) == []


def raw(site: Site, end: bytes, body: bytes = b"", times: int = 0) -> bytes:
    """Send an upload by hand, until the server answers or hangs up."""
    head = f"POST /api/photos?visitor={VISITOR}&name=a.jpg HTTP/1.1\r\nHost: localhost\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        try:
            sent = b"Origin: http://localhost\r\nConnection: close\r\n"
            connection.sendall(head.encode() + sent + end)
            for _ in range(times):
                connection.sendall(body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = b""
        try:
            while part := connection.recv(4096):
                received += part
        except ConnectionResetError:
            pass  # it hangs up while it is still sent to
        return received


def test_an_upload_that_breaks_off_leaves_nothing(small_site: Site) -> None:
    head = f"POST /api/photos?visitor={VISITOR}&name=a.jpg HTTP/1.1\r\nHost: localhost\r\n"
    with socket.create_connection(("127.0.0.1", small_site.port)) as connection:
        connection.sendall(head.encode() + b"Origin: http://localhost\r\nContent-Length: 9999\r\n")
        connection.sendall(b"\r\n" + jpeg(backlit(20, 30))[:500])
        wait_for(lambda: any(small_site.visits.album.folder.iterdir()))
    wait_for(lambda: not any(small_site.visits.album.folder.iterdir()))
    assert small_site.ask(f"/api/photos?visitor={VISITOR}").json == []


def wait_for(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_file_that_is_cut_short_is_told(site: Site, folder: Path) -> None:
    whole = backlit_file(folder / "whole.jpg").read_bytes()
    answer = site.upload("cut.jpg", whole[: len(whole) // 2])
    assert answer.status == 201, "its header is whole"
    identity = answer.json["id"]
    wait_for(lambda: site.ask(f"/api/photos/{identity}").json["state"] == "failed")
    assert "cut short" in site.ask(f"/api/photos/{identity}").json["reason"]
    shown = site.ask(f"/api/photos/{identity}/after")
    assert shown.status in (415, 500) and "cut short" in shown.json["error"]


NAMES = {
    "../../etc/passwd.jpg": "passwd.jpg",
    "C:\\photos\\a b.jpg": "a b.jpg",
    "/etc/shadow": "shadow.jpg",
    "..": "photo.jpg",
    "": "photo.jpg",
    ".hidden.jpg": "hidden.jpg",
    'a"; filename="b.exe': "a_; filename=_b.exe.jpg",
    "line\r\nSet-Cookie: x=1.jpg": "line__Set-Cookie_ x=1.jpg",
    "<img src=x onerror=alert(1)>.jpg": "_img src=x onerror=alert(1)_.jpg",
    "Größe 雪.jpg": "Größe 雪.jpg",
    "x" * 300 + ".jpg": "x" * 100 + ".jpg",
    "no_extension": "no_extension.jpg",
}


@pytest.mark.parametrize("given", NAMES)
def test_names_are_only_names(site: Site, given: str) -> None:
    answer = site.upload(given, jpeg(backlit(20, 30)))
    assert answer.status == 201
    assert answer.json["name"] == NAMES[given]
    item = site.visits.album.get(answer.json["id"])
    assert item is not None and item.path.parent.parent == site.visits.album.folder
    headers = site.ask(f"/api/photos/{answer.json['id']}/result").headers
    assert headers["content-disposition"].count("filename") == 1 + given.count("filename=")
    assert "set-cookie" not in headers


def test_safe_names_are_short_in_bytes() -> None:
    assert len(safe_name("雪" * 200 + ".jpeg").encode()) <= 112


def test_no_room_on_the_disk_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rave_mm.web.uploads._SPARE_DISK", 10**18)
    answer = site.upload("a.jpg", jpeg(backlit(20, 30)))
    assert answer.status == 507 and "no room" in answer.json["error"]
