"""Hashes that a shell gives as well, and photos that are there twice."""

import hashlib
from pathlib import Path

from rave_mm.evaluation.provenance import checkpoint_sha256, look_at_files, versions
from rave_mm.networks.fetched_checkpoint import kept_at
from rave_mm.runtime.file_hash import file_sha256


def test_photos_of_equal_content_are_named(tmp_path: Path) -> None:
    contents = {"b.png": b"one", "a.png": b"two", "c.png": b"one", "d.png": b"one"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = look_at_files([tmp_path / name for name in contents], [])
    assert files.equal == [["b.png", "c.png", "d.png"]]
    assert files.list_sha256 == hashlib.sha256(b"a.png\nb.png\nc.png\nd.png\n").hexdigest()


def test_hashes_do_not_depend_on_order_but_on_content(tmp_path: Path) -> None:
    photos, truths = ([tmp_path / f"{kind}{i}.png" for i in range(2)] for kind in ("photo", "gt"))
    for path in (*photos, *truths):
        path.write_bytes(path.name.encode())
    before = look_at_files(photos, truths)
    assert look_at_files(photos[::-1], truths[::-1]) == before
    truths[0].write_bytes(b"retouched")
    after = look_at_files(photos, truths)
    assert after.list_sha256 == before.list_sha256
    assert after.content_sha256 != before.content_sha256


def test_checkpoints_and_versions(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    address = "https://example.org/a/model.pth?download=1"
    kept = kept_at(address)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weights")
    wanted = hashlib.sha256(b"weights").hexdigest()
    assert file_sha256(kept) == wanted == checkpoint_sha256(str(kept))
    assert checkpoint_sha256(address) == wanted
    assert checkpoint_sha256("https://example.org/other.pth") is None
    assert {"torch", "mmagic", "rave_mm", "python"} <= versions().keys()
    assert "no-such-package" not in versions(["no-such-package"])
