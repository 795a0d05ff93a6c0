"""What a run writes is whole, and what it cannot write is told."""

import logging
from pathlib import Path

import pytest

from rave_mm.engine.sound_files import WholeFilesBackend, remove_superseded, write_soundly


def raise_full(self: Path, data: bytes) -> int:
    raise OSError(28, "No space left on device")


class TestWholeFilesBackend:
    def test_writes_bytes_and_text(self, tmp_path: Path) -> None:
        WholeFilesBackend().put(b"weights", tmp_path / "new/iter_2.pth")
        WholeFilesBackend().put_text("Maß", str(tmp_path / "note"))
        assert (tmp_path / "new/iter_2.pth").read_bytes() == b"weights"
        assert (tmp_path / "note").read_bytes() == "Maß".encode()

    def test_a_full_disk_leaves_the_old_file_and_is_told_with_the_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "iter_2.pth"
        WholeFilesBackend().put(b"old", path)

        def half(self: Path, data: bytes) -> int:
            with self.open("wb") as file:
                file.write(data[:1])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", half)
        with pytest.raises(OSError, match=rf"No space left on device: '{path}'"):
            WholeFilesBackend().put(b"new", path)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_what_is_superseded_goes_at_last(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend, old, new = WholeFilesBackend(), tmp_path / "iter_1.pth", tmp_path / "iter_2.pth"
        backend.put(b"old", old)
        backend.remove(old)
        with monkeypatch.context() as full:
            full.setattr(Path, "write_bytes", raise_full)
            with pytest.raises(OSError, match="No space left"):
                backend.put(b"new", new)
        assert old.read_bytes() == b"old"
        backend.put(b"new", new)
        assert old.read_bytes() == b"old", "`last_checkpoint` may still name it"
        remove_superseded()
        assert not old.exists() and new.read_bytes() == b"new"
        # One that is written once more stays.
        backend.remove(new)
        backend.put(b"anew", new)
        remove_superseded()
        assert new.read_bytes() == b"anew"


def test_a_log_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.FileHandler, "handleError", logging.FileHandler.handleError)
    write_soundly()
    logger = logging.Logger("full")
    logger.addHandler(logging.FileHandler("/dev/full"))
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        logger.warning("a line")
