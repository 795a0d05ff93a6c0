"""Whatever a killed training has left, the newest complete checkpoint is found."""

from pathlib import Path

import pytest
import torch

from rave_mm.engine.work_dir import (
    check_nothing_is_overwritten,
    newest_complete_checkpoint,
    numbered_checkpoints,
)
from rave_mm.networks.published_checkpoints import UnknownCheckpointError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for iteration in (8, 20, 100):
        whole = {"state_dict": {"weight": torch.zeros(999)}, "optimizer": {}, "meta": {}}
        torch.save(whole, tmp_path / f"iter_{iteration}.pth")
    torch.save({"state_dict": {}}, tmp_path / "best_PSNR_iter_200.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_100.pth"))
    return tmp_path


def test_the_newest_by_number(run: Path) -> None:
    assert [path.name for path in numbered_checkpoints(run)] == [
        "iter_100.pth",
        "iter_20.pth",
        "iter_8.pth",
    ]
    assert newest_complete_checkpoint(run) == (run / "iter_100.pth", [])


@pytest.mark.parametrize("note", [None, "", "/gone/iter_300.pth", "iter_8.pth"])
def test_whatever_last_checkpoint_says(run: Path, note: str | None) -> None:
    (run / "last_checkpoint").unlink()
    if note is not None:
        (run / "last_checkpoint").write_text(note)
    assert newest_complete_checkpoint(run)[0] == run / "iter_100.pth"


def test_what_is_cut_off_is_passed_over_and_told(run: Path) -> None:
    whole = (run / "iter_100.pth").read_bytes()
    (run / "iter_100.pth").write_bytes(whole[: len(whole) // 2])
    (run / "iter_20.pth").write_bytes(b"")
    found, passed_over = newest_complete_checkpoint(run)
    assert found == run / "iter_8.pth"
    assert [line.split()[0] for line in passed_over] == [
        str(run / "iter_100.pth"),
        str(run / "iter_20.pth"),
    ]
    assert "is passed over: UnknownCheckpointError, it is cut off" in passed_over[0]


def test_weights_alone_are_nothing_to_go_on_from(run: Path) -> None:
    torch.save({"state_dict": {}}, run / "iter_300.pth")
    found, passed_over = newest_complete_checkpoint(run)
    assert found == run / "iter_100.pth"
    assert passed_over == [f"{run / 'iter_300.pth'} is passed over: it has no meta"]


def test_training_does_not_start_over_what_is_broken(run: Path) -> None:
    for path in numbered_checkpoints(run):
        path.write_bytes(b"PK")
    with pytest.raises(UnknownCheckpointError, match=r"none of the checkpoints in .* is complete"):
        newest_complete_checkpoint(run)


def test_checkpoints_with_names_of_their_own(tmp_path: Path) -> None:
    assert newest_complete_checkpoint(tmp_path) == (None, [])
    torch.save({"state_dict": {}, "optimizer": {}, "meta": {}}, tmp_path / "mine.pth")
    (tmp_path / "last_checkpoint").write_text("/where/it/was/mine.pth")
    assert newest_complete_checkpoint(tmp_path)[0] == tmp_path / "mine.pth"


def test_an_earlier_training_is_not_written_over(run: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match=r"holds iter_100\.pth .* --resume goes on from it"):
        check_nothing_is_overwritten(run)
    check_nothing_is_overwritten(run / "elsewhere")
