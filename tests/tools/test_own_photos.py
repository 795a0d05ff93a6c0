"""Training on two folders of one's own, without a config."""

from pathlib import Path

import pytest
from mmengine.config import Config

from rave_mm.clip.weights import MissingWeightsError
from rave_mm.engine import own_photos
from rave_mm.engine.own_photos import config_of_own_photos
from rave_mm.runtime.setting_error import SettingError
from tests.tools.loading import load_tool
from tests.tools.tiny_run import options, run


@pytest.fixture
def no_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(model: str, pretrained: str) -> Path:
        raise MissingWeightsError(f"{pretrained} of {model}: no internet")

    monkeypatch.setattr(own_photos, "find_weights", missing)


@pytest.mark.usefixtures("no_openai")
def test_two_folders_train_with_the_bundled_clip(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--backlit", "data/demo/train/backlit", "--well-lit", "data/demo/train/well-lit"]
    few = [option for option in options(2) if "custom_hooks" not in option]
    run(monkeypatch, "train", *folders, "--work-dir", work / "run", *few)
    assert (work / "run/iter_2.pth").is_file()
    printed = "".join(capsys.readouterr())
    assert "The bundled CLIP guides, since OpenAI's is not to be had: openai of ViT-B-32" in printed
    assert f"rave-mm enhance PHOTOS --out FOLDER --checkpoint {work / 'run/iter_2.pth'}" in printed


def test_no_checkpoint_is_named_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = load_tool("train")
    network = {"generator": {"type": "SmallViewLightMapNet"}}
    config = Config({"work_dir": str(tmp_path), "model": network})
    assert "rave-mm enhance" not in train.what_next(config)
    monkeypatch.setattr(train, "newest_complete_checkpoint", lambda _: (Path("a.pth"), ()))
    assert train.what_next(config).endswith("--checkpoint a.pth")
    config.model.generator.type = "NAFNet"
    assert "rave-mm enhance" not in train.what_next(config)


def test_with_openais_weights_it_is_openais_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_photos, "find_weights", lambda *_: tmp_path)
    name, settings, told = config_of_own_photos(tmp_path, tmp_path)
    assert name == "rave/rave_own_photos.py" and "OpenAI's CLIP guides" in told
    assert f"model.losses.guidance.residual.well_lit={tmp_path}" in settings


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"--well-lit: got .*nope, expected a folder of photos"):
        config_of_own_photos(tmp_path, tmp_path / "nope")


@pytest.mark.parametrize(
    "arguments", [[], ["--backlit", "a"], ["rave/rave_lol_v1.py", "--well-lit", "a"]]
)
def test_either_a_config_or_both_folders(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "train", *arguments)
    assert "either a config, or both --backlit DIR and --well-lit DIR" in capsys.readouterr().err
