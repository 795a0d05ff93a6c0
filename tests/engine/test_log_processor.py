"""Which lines name the phase."""

import re
from pathlib import Path

import pytest

from rave_mm.engine.log_processor import PhasedLogProcessor
from tests.engine.tiny import ONE, PAIR, text, train


def test_lines_of_training_name_phase_and_round_in_place_of_their_numbers(tmp_path: Path) -> None:
    runner, _ = train(tmp_path, [ONE, {"rounds": 2, "phases": [PAIR]}])
    assert re.search(r"]  phase pair turn, round 2  lr: \S+  eta: 0:00:00  time: ", text(runner))
    assert "phase: " not in text(runner)


def test_the_time_that_is_left(tmp_path: Path) -> None:
    runner, _ = train(tmp_path, [ONE])
    processor = PhasedLogProcessor(window_size=2, by_epoch=False)
    runner.train_loop._iter, runner.train_loop._max_iters = 9, 1010
    for seconds in (50.0, 3.0, 4.0):
        runner.message_hub.update_scalar("train/time", seconds)
    runner.message_hub.update_info("eta", 5)  # of MMagic's timer, from long ago
    _, line = processor.get_log_after_iter(runner, 9, "train")
    assert re.findall(r"\beta: \S+", line) == ["eta: 0:58:20"]  # 1000 iterations of 3.5 s


def test_the_time_that_is_left_of_a_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PhasedLogProcessor, "_get_dataloader_size", lambda *_: 30)
    runner, _ = train(tmp_path, [ONE])
    for name, seconds in (("time", 3.0), ("time", 4.0), ("data_time", 1.0)):
        runner.message_hub.update_scalar(f"val/{name}", seconds)
    processor = PhasedLogProcessor(window_size=2, by_epoch=False)
    _, line = processor.get_log_after_iter(runner, 9, "val")
    assert re.findall(r"\beta: \S+", line) == ["eta: 0:01:10"]  # 20 photos of 3.5 s


def test_lines_of_validation_do_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PhasedLogProcessor, "_get_dataloader_size", lambda *_: 5)
    processor = PhasedLogProcessor(by_epoch=False)
    runner, _ = train(tmp_path, [ONE, {"rounds": 2, "phases": [PAIR]}])
    for mode in ("val", "test"):
        runner.message_hub.update_scalar(f"{mode}/PSNR", 12.5)
    _, line = processor.get_log_after_epoch(runner, 4, "val")
    assert line.startswith("Iter(val) [5/5]  phase pair turn, round 2  ") and "PSNR: 12.5" in line
    _, line = processor.get_log_after_epoch(runner, 4, "test")
    assert line.startswith("Iter(test) [5/5]") and "phase" not in line


def test_a_validation_without_training_is_in_no_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PhasedLogProcessor, "_get_dataloader_size", lambda *_: 5)
    runner, _ = train(tmp_path, [ONE])
    runner.message_hub.update_scalar("val/PSNR", 12.5)
    del runner.message_hub.runtime_info["phase"]
    _, line = PhasedLogProcessor(by_epoch=False).get_log_after_epoch(runner, 4, "val")
    assert line.startswith("Iter(val) [5/5]    PSNR: 12.5")


MAXIMUM = {"data_src": "loss", "log_name": "max", "method_name": "max", "window_size": 9}


def test_no_more_is_kept_than_is_needed(tmp_path: Path) -> None:
    for custom, kept in (([], 20), ([MAXIMUM], 25)):
        processor = {"type": "PhasedLogProcessor", "window_size": 2, "by_epoch": False}
        runner, _ = train(
            tmp_path / f"{kept}",
            [{**ONE, "iterations": 25}],
            log_processor={**processor, "custom_cfg": custom},
        )
        values, counts = runner.message_hub.get_scalar("train/loss").data
        assert len(values) == len(counts) == kept
