"""What is saved is whole, and can be gone on from."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rave_mm.engine.sound_checkpoints import SoundCheckpointsHook, WholeFilesBackend


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


def save(model: nn.Module) -> None:
    checkpoint = {"state_dict": model.state_dict()}
    SoundCheckpointsHook().before_save_checkpoint(SimpleNamespace(model=model, iter=7), checkpoint)


class TestSoundCheckpointsHook:
    @pytest.mark.parametrize(
        "value, told",
        [
            (float("nan"), "is not finite"),
            (float("inf"), "is not finite"),
            (-1e9, r"has reached 1e\+09"),
        ],
    )
    def test_refuses_ruined_weights(self, value: float, told: str) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        save(model)
        with torch.no_grad():
            model[0].weight[1, 0] = value
        with pytest.raises(FloatingPointError, match=f"^0.weight {told} by iteration 7: no check"):
            save(model)

    def test_a_statistic_may_be_large_but_must_be_finite(self) -> None:
        model = nn.BatchNorm1d(2)
        model.running_var.fill_(1e9)
        save(model)
        model.running_var.fill_(float("nan"))
        with pytest.raises(FloatingPointError, match="running_var is not finite"):
            save(model)

    def test_looks_into_what_wraps_the_model(self) -> None:
        model = nn.Linear(1, 1)
        model.bias.data.fill_(1e8)
        with pytest.raises(FloatingPointError, match="bias has reached"):
            SoundCheckpointsHook().before_save_checkpoint(
                SimpleNamespace(model=SimpleNamespace(module=model), iter=1),
                {"state_dict": model.state_dict()},
            )
