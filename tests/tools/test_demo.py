"""The parts of tools/demo.py; .ci/run runs the whole of it in its tiny setting."""

from pathlib import Path
from types import ModuleType

import pytest
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.engine.schedule import read_schedule
from tests.tools.loading import load_tool


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "data/demo").mkdir(parents=True)
    (tmp_path / "data/demo/manifest.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return load_tool("demo")


def test_a_run_goes_on_with_its_own_checkpoints_alone(demo: ModuleType) -> None:
    work_dir = Path("work_dirs/demo")
    demo.claim(work_dir, demo.RAVE, seed=0, tiny=False)
    (work_dir / "iter_100.pth").write_bytes(b"")
    demo.claim(work_dir, demo.RAVE, seed=0, tiny=False)
    for seed, tiny in ((1, False), (0, True)):
        with pytest.raises(SystemExit, match="work_dirs/demo holds a run of other settings"):
            demo.claim(work_dir, demo.RAVE, seed, tiny)
    Path("data/demo/manifest.json").write_text('{"size": 1}')
    with pytest.raises(SystemExit, match="other settings"):
        demo.claim(work_dir, demo.RAVE, seed=0, tiny=False)


def test_what_somebody_else_left_is_not_taken_over(demo: ModuleType) -> None:
    Path("mine").mkdir()
    Path("mine/iter_9.pth").write_bytes(b"")
    with pytest.raises(SystemExit, match="mine holds a run of other settings"):
        demo.claim(Path("mine"), demo.RAVE, seed=0, tiny=False)


def test_the_tiny_setting_shortens_every_phase(demo: ModuleType) -> None:
    assert demo.tiny_schedule("demo/rave_demo.py", 4) == ["train_cfg.phases.0.iterations=4"]
    options = demo.tiny_schedule("demo/clip_lit_demo.py", 2)
    config = Config.fromfile(config_path("demo/clip_lit_demo.py"))
    pairs = (option.split("=") for option in options)
    config.merge_from_dict({key: int(value) for key, value in pairs})
    schedule = read_schedule(config.train_cfg.phases)
    assert [phase.iterations for phase in schedule.phases] == [2, 2, 2]
    assert schedule.iterations == 6


def test_table_has_the_figures(demo: ModuleType) -> None:
    summary = {"psnr": 16.5, "psnr_input": 14.25, "ssim": 0.8, "ssim_input": 0.7}
    lines = demo.table(summary).split("\n")
    assert lines[1].split() == ["input", "14.25", "0.700"]
    assert lines[2].split() == ["RAVE", "16.50", "0.800"]
