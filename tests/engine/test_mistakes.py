"""How a tool ends where its user gave something wrong."""

from contextlib import AbstractContextManager

import pytest
from mmagic.registry import MODELS
from mmengine.config import Config

from rave_mm.engine.mistakes import Mistakes, StartedHook
from rave_mm.networks.published_checkpoints import UnknownCheckpointError
from rave_mm.photos.errors import PhotoFolderError, UnreadablePhotoError
from rave_mm.runtime.setting_error import SettingError

TOLD = Mistakes("tools/train.py")
CONFIG = Config({"model": {"losses": {"identity": {"type": "CLIPIdentityLoss"}}}})


def of_the_config_told() -> AbstractContextManager[None]:
    return TOLD.of_the_config_told(CONFIG)


@pytest.mark.parametrize(
    "mistake",
    [
        FileNotFoundError("night.png is missing"),
        UnreadablePhotoError("night.png", "is cut"),
        UnknownCheckpointError("night.png is no checkpoint"),
        PhotoFolderError("no photo beside night.png"),
        SettingError("night.png is no setting"),
    ],
    ids=lambda mistake: type(mistake).__name__,
)
def test_what_a_user_gave_wrongly_ends_a_tool_in_a_line(
    mistake: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    for told in (TOLD.told, of_the_config_told):
        with pytest.raises(SystemExit) as ended, told():
            raise mistake
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith("tools/train.py: ") and "night.png" in said
        assert said.count("\n") == 1


def test_other_errors_keep_their_traceback_once_all_is_built() -> None:
    with pytest.raises(KeyError), TOLD.told():
        raise KeyError("type")


def test_while_the_config_is_built_any_error_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, of_the_config_told():
        raise TypeError("Net.__init__() got an unexpected keyword argument 'sied'")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "cannot start with this config (--traceback shows where): TypeError: Net" in said


def test_it_names_the_place_of_what_was_being_built(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = Config({"model": {"losses": {"identity": {"type": "CLIPIdentityLoss"}}}})
    config.model.losses.identity.channel_order = "rbg"
    with pytest.raises(SystemExit), TOLD.of_the_config_told(config):
        MODELS.build(config.model.losses.identity)
    assert "ValueError: model.losses.identity: channel_order: got 'rbg'" in capsys.readouterr().err


def test_once_the_first_iteration_is_done_the_config_is_not_to_blame() -> None:
    mistakes = Mistakes("tools/train.py")
    with pytest.raises(KeyError), mistakes.of_the_config_told(CONFIG):
        StartedHook(mistakes).after_train_iter()
        raise KeyError("type")


def test_traceback_shows_where() -> None:
    shown = Mistakes("tools/train.py", traceback=True)
    with pytest.raises(FileNotFoundError), shown.told():
        raise FileNotFoundError("night.png")
    with pytest.raises(TypeError), shown.of_the_config_told(CONFIG):
        raise TypeError("sied")


def test_a_photo_that_a_worker_could_not_read_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "Caught it in DataLoader worker process 0.\nOriginal Traceback:\n  File a.py\n"
    error = UnreadablePhotoError("night.png", "damaged: cut")
    kind = f"{type(error).__module__}.{type(error).__name__}"
    with pytest.raises(SystemExit) as ended, TOLD.told():
        raise RuntimeError(f"{text}{kind}: {error}\n")
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"tools/train.py: {error}\n"
    with pytest.raises(RuntimeError, match="KeyError"), TOLD.told():
        raise RuntimeError(f"{text}KeyError: 'a'\n")
