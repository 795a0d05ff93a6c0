"""What is refused before a Runner is built."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.engine.command_line import build_runner, mistakes_told
from rave_mm.networks.published_checkpoints import UnknownCheckpointError
from rave_mm.photos.errors import UnreadablePhotoError


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
    with pytest.raises(UnknownCheckpointError, match=r"other\.pth: PyTorch cannot read it"):
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


@pytest.mark.parametrize(
    "mistake",
    [
        FileNotFoundError("night.png is missing"),
        UnreadablePhotoError("night.png", "is cut"),
        UnknownCheckpointError("night.png is no checkpoint"),
    ],
    ids=lambda mistake: type(mistake).__name__,
)
def test_what_a_user_named_wrongly_ends_a_tool_in_a_line(mistake: Exception) -> None:
    ended = pytest.raises(SystemExit, match=r"^tools/train\.py: .*night\.png")
    with ended, mistakes_told("tools/train.py"):
        raise mistake


def test_other_errors_keep_their_traceback() -> None:
    with pytest.raises(KeyError), mistakes_told("tools/train.py"):
        raise KeyError("type")
