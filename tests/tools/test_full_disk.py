"""What a run does where a file cannot be written: it says which, and keeps what was there."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests.tools.loading import load_tool
from tests.tools.tiny_run import CONFIG, logs, options, run


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a full disk, or beyond a quota, writing fails; the system says that a file is large."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
def test_training(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(iterations: int) -> None:
        more = [*options(iterations), "default_hooks.checkpoint.save_best=None"]
        more += ["val_cfg=None", "val_dataloader=None", "val_evaluator=None"]
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", "--resume", *more)

    train(2)
    before = (work / "run/iter_2.pth").read_bytes()
    for size, name in ((100_000, "iter_4.pth"), (6000, ".log")):
        with pytest.raises(SystemExit) as ended, no_file_larger_than(size):
            train(4)
        assert ended.value.code == 2
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert told.startswith("tools/train.py: [Errno 27] File too large: '")
        assert told.endswith(f"{name}'")
        assert (work / "run/iter_2.pth").read_bytes() == before
        assert not list((work / "run").rglob("*iter_4*"))
    train(4)  # once there is room
    assert (work / "run/iter_4.pth").is_file()
    assert [line["step"] for line in logs(work / "run")][-2:] == [3, 4]


@pytest.mark.slow
def test_the_test_and_its_report(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *options(2))
    arguments = (CONFIG, work / "run/iter_2.pth", "--work-dir", work / "test")
    run(monkeypatch, "test", *arguments)
    report = next((work / "test").glob("*.html"))
    before = report.read_bytes()
    assert len(before) > 3000
    with pytest.raises(SystemExit) as ended, no_file_larger_than(len(before) // 2):
        run(monkeypatch, "test", *arguments)
    assert ended.value.code == 2
    assert f"[Errno 27] File too large: '{work / 'test'}" in capsys.readouterr().err
    assert report.read_bytes() == before
    assert not list((work / "test").glob(".*"))


def test_enhancing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for name, side in (("a", 40), ("b", 300), ("c", 40)):
        Image.effect_noise((side, side), 60).convert("RGB").save(tmp_path / f"in/{name}.png")
    arguments = (tmp_path / "in", "--out", tmp_path / "out")
    with pytest.raises(SystemExit) as ended, no_file_larger_than(20_000):
        run(monkeypatch, "enhance", *arguments)
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "2 done, 0 skipped, 1 failed" in told
    assert f"cannot write {tmp_path / 'out/b.png'}: File too large\n" in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.png", "c.png", "enhance.csv"}
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "enhance", *arguments)
    assert ended.value.code == 0
    assert "1 done, 2 skipped, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("train", (CONFIG, "--work-dir", "/sys/run")),  # where nobody can write, root neither
        ("enhance", ("photos", "--out", "/sys/out")),
    ],
)
def test_a_folder_that_cannot_be_written_to(
    tool: str,
    arguments: tuple[str, ...],
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (work / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(work / "photos/a.png")
    monkeypatch.setattr(sys, "argv", [f"{tool}.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        load_tool(tool).main()
    told = f"{capsys.readouterr().err}{ended.value.code}"
    assert f"tools/{tool}.py: " in told and f"'{arguments[-1]}'" in told
    assert "Permission denied" in told or "not permitted" in told
