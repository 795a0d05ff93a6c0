"""What is refused before a Runner is built."""

import argparse
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.engine.arguments import add_run_arguments
from rave_mm.engine.command_line import build_runner, load_config
from rave_mm.engine.mistakes import Mistakes
from rave_mm.networks.published_checkpoints import UnknownCheckpointError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    settings = Config.fromfile(config_path("demo/rave_demo"))
    settings.work_dir, settings.launcher = str(tmp_path / "work"), "none"
    return settings


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04 and no more", b""])
def test_a_file_that_is_no_checkpoint_is_named(
    config: Config, tmp_path: Path, content: bytes
) -> None:
    config.load_from = str(tmp_path / "other.pth")
    Path(config.load_from).write_bytes(content)
    with pytest.raises(UnknownCheckpointError, match=r"other\.pth is no checkpoint: cut off"):
        build_runner(config)
    assert not Path(config.work_dir).exists()


def test_so_is_one_of_another_network_with_the_keys_that_are_expected(
    config: Config, tmp_path: Path
) -> None:
    config.load_from = str(tmp_path / "other.pth")
    torch.save({"weight": torch.zeros(3)}, config.load_from)
    with pytest.raises(UnknownCheckpointError, match=r"(?s)other\.pth.*conv_in\.weight"):
        build_runner(config)


def test_a_missing_one_is_told(config: Config) -> None:
    config.load_from = "nowhere.pth"
    with pytest.raises(FileNotFoundError, match=r"no checkpoint nowhere\.pth"):
        build_runner(config)


def parsed(*arguments: str) -> Config:
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    return load_config(parser.parse_args(["demo/rave_demo.py", *arguments]))


def test_a_run_in_one_process_is_not_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to what the same Python starts later."""
    with monkeypatch.context() as patching:
        patching.setattr(os, "environ", {})
        parsed()
        assert not os.environ
        parsed("--launcher", "mpi", "--local-rank", "3")
        assert os.environ == {"LOCAL_RANK": "3"}


def test_settings_are_overridden() -> None:
    config = parsed("--cfg-options", "optim_wrapper.optimizer.lr=3e-4", "load_from=a.pth")
    assert config.optim_wrapper.optimizer.lr == 3e-4 and config.load_from == "a.pth"


def test_a_setting_that_nobody_reads_ends_the_tool() -> None:
    ended = pytest.raises(SystemExit, match=r"tools/train\.py: --cfg-options xyzzy: the config has")
    with ended, Mistakes("tools/train.py").told():
        parsed("--cfg-options", "xyzzy=1")


def test_a_word_without_a_value_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--cfg-options", "a", "b")
    assert "--cfg-options: got 'a', expected KEY=VALUE" in capsys.readouterr().err
