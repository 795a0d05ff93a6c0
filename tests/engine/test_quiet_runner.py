"""What MMEngine fills pages with is in the log file, not on the screen."""

import logging
from pathlib import Path

import pytest

from rave_mm.engine.quiet_runner import QuietRunner, matters_on_screen
from tests.engine import tiny
from tests.engine.tiny import ONE, text, train


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Config:\nmodel = 1", False),
        ("Config: rave.py", True),
        ("Iter(train) [1/2]", True),
        ("Cannot find key 'gt_img' in data sample.", False),
        ("Cannot find key 'img' in data sample.", True),
        ("Hooks will be executed in the following order:\nbefore_run", False),
    ],
)
def test_which_lines_matter(message: str, shown: bool) -> None:
    record = logging.LogRecord("mmengine", logging.INFO, "", 0, message, None, None)
    assert matters_on_screen(record) == shown


def test_the_file_has_them_and_the_screen_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tiny, "Runner", QuietRunner)
    runner, _ = train(tmp_path, [ONE])
    printed = "".join(capsys.readouterr())
    for words in ("System environment:", "Hooks will be executed"):
        assert words in text(runner) and words not in printed
    assert "Iter(train)" in text(runner)
