"""Checkpoints by address: kept, checked, and from where nobody can change them."""

import hashlib
import http.server
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest

from rave_mm.networks import fetched_checkpoint
from rave_mm.networks.fetched_checkpoint import fetch_checkpoint, kept_at
from rave_mm.networks.published_checkpoints import UnknownCheckpointError

Serve = Callable[[Path], str]


def test_two_of_one_name_are_kept_apart(tmp_path: Path, serve: Serve) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.pth").write_text(name)
    address = serve(tmp_path)
    kept = [fetch_checkpoint(f"{address}/{name}/model.pth") for name in ("a", "b")]
    assert [path.read_text() for path in kept] == ["a", "b"]
    (tmp_path / "a/model.pth").unlink()
    assert fetch_checkpoint(f"{address}/a/model.pth") == kept[0], "fetched once"
    with pytest.raises(HTTPError, match="404"):
        fetch_checkpoint(f"{address}/a/other.pth")
    assert not list(kept[0].parent.glob("*other*"))


@pytest.mark.parametrize(
    "address", ["http://example.org/a.pth", "ftp://example.org/a.pth", "file:///etc/passwd"]
)
def test_only_https(address: str) -> None:
    with pytest.raises(UnknownCheckpointError, match=r"got an address of \w+, expected https"):
        fetch_checkpoint(address)


def test_a_hash(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "model.pth").write_text("weights")
    address = f"{serve(tmp_path)}/model.pth"
    right = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(UnknownCheckpointError, match=f"got a file of SHA-256 {right}, which is an"):
        fetch_checkpoint(f"{address}#sha256={'0' * 64}")
    assert not kept_at(address).exists()
    path = fetch_checkpoint(f"{address}#sha256={right}")
    path.write_text("changed since")
    with pytest.raises(UnknownCheckpointError, match="which is another"):
        fetch_checkpoint(f"{address}#sha256={right}")


def test_a_file_that_is_too_large(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.pth").write_bytes(bytes(1000))
    monkeypatch.setattr(fetched_checkpoint, "LARGEST", 999)
    address = f"{serve(tmp_path)}/model.pth"
    with pytest.raises(UnknownCheckpointError, match="more than .* which no checkpoint has"):
        fetch_checkpoint(address)
    assert not kept_at(address).exists()


def test_a_file_that_was_cut_on_the_way_is_not_kept(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def longer(self: http.server.SimpleHTTPRequestHandler, name: str, value: str) -> None:
        send(self, name, str(int(value) + 5) if name == "Content-Length" else value)

    send = http.server.SimpleHTTPRequestHandler.send_header
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "send_header", longer)
    (tmp_path / "model.pth").write_bytes(bytes(1000))
    address = f"{serve(tmp_path)}/model.pth"
    with pytest.raises(UnknownCheckpointError, match="got 1000 of 1005 bytes"):
        fetch_checkpoint(address)
    assert not kept_at(address).exists()
