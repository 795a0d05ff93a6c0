import json
import shutil
from http.client import IncompleteRead
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from safetensors.torch import save_file

from rave_mm.clip import weights
from rave_mm.clip.weights import MissingWeightsError, build_clip, find_weights


@pytest.fixture(scope="module")
def openai_files(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of `clip_vit.pt` and `clip_resnet.pt` as OpenAI's own files are.

    Those hold three numbers beside the weights, by which they are told from other files.
    """
    folder = tmp_path_factory.mktemp("openai")
    numbers = {"input_resolution": 224, "context_length": 77, "vocab_size": 600}
    for name in ("clip_vit.pt", "clip_resnet.pt"):
        weights = torch.load(reference / name, map_location="cpu", weights_only=True)
        torch.save(weights | {k: torch.tensor(v) for k, v in numbers.items()}, folder / name)
    return folder


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.write_bytes(b"")
    assert find_weights("ViT-B-32", str(file)) == file


def test_unknown_weights_name_the_known_ones() -> None:
    with pytest.raises(
        MissingWeightsError, match=r"no CLIP weights 'opnai' for ViT-B-32.*laion2b_s34b_b79k"
    ):
        find_weights("ViT-B-32", "opnai")


def test_an_unknown_model_is_told_and_not_blamed_on_its_weights() -> None:
    with pytest.raises(MissingWeightsError, match="got 'ViT-B32', .* know; did you mean ViT-B-32"):
        find_weights("ViT-B32", "openai")
    with pytest.raises(MissingWeightsError, match="model: got 'ViT-B32'"):
        build_clip("ViT-B32", None)


@pytest.mark.parametrize(
    "error",
    [
        OSError("no route to host"),
        IncompleteRead(b"half", 9),
        RuntimeError("the SHA256 checksum does not not match"),
        TypeError("int() argument must be a string"),
    ],
)
def test_missing_weights_tell_what_why_whence_and_where_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))

    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(weights, "download_pretrained", fail)
    with pytest.raises(MissingWeightsError) as raised:
        find_weights("RN101-quickgelu", "openai")
    message = str(raised.value)
    assert "'openai' for RN101-quickgelu" in message
    assert f"({type(error).__name__}: {error})" in message
    assert "https://" in message
    assert str(tmp_path / "RN101-quickgelu-openai.pt") in message


def test_weights_that_were_put_there_by_hand_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))
    file = tmp_path / "RN101-quickgelu-openai.safetensors"
    file.write_bytes(b"")
    assert find_weights("RN101-quickgelu", "openai") == file


def test_openais_own_files_end_up_with_quickgelu(
    openai_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain model's name with OpenAI's weights gives wrong features without an error."""
    tiny = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 224, "layers": 2, "width": 64, "patch_size": 32},
    }
    monkeypatch.setattr(open_clip, "get_model_config", {"tiny": tiny}.get)
    model, preprocess = build_clip("tiny", str(openai_files / "clip_vit.pt"))
    assert any(isinstance(module, QuickGELU) for module in model.visual.modules())
    assert preprocess.mean == open_clip.OPENAI_DATASET_MEAN
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ["ViT-B-32", "RN50", "ViT-X-1"])
@pytest.mark.parametrize("file", ["clip_vit.pt", "clip_resnet.pt"])
def test_openais_weights_of_another_model_are_refused(
    openai_files: Path, name: str, file: str
) -> None:
    with pytest.raises(
        ValueError,
        match=rf"{file} holds OpenAI's weights of another model than {name}: got .*'width': ",
    ):
        build_clip(name, str(openai_files / file))


def test_openais_architectures_are_told_as_open_clip_tells_them() -> None:
    for name in ("RN50", "ViT-B-32"):
        config = open_clip.get_model_config(name)
        named = config["vision_cfg"] | {"embed_dim": config["embed_dim"]}
        with torch.device("meta"):
            built = open_clip.CLIP(**config)
        assert weights._image_tower(built) == named


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", ["nothing", "a page", "a pointer", "noise", "a cut file"])
def test_broken_files_are_told(
    content: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))
    file = tmp_path / f"RN50-openai{suffix}"
    if content == "a cut file":
        save = save_file if suffix == ".safetensors" else torch.save
        save({"weight": torch.zeros(1000)}, file)
        file.write_bytes(file.read_bytes()[:-500])
    else:
        file.write_bytes(
            {
                "nothing": b"",
                "a page": b"<!DOCTYPE html><html>404</html>",
                "a pointer": b"version https://git-lfs.github.com/spec/v1",
                "noise": np.random.default_rng(0).bytes(1000),
            }[content]
        )
    told = rf"{file} is no CLIP weights file \({file.stat().st_size} bytes\): it begins with b.*"
    with pytest.raises(ValueError, match=f"{told}fetch it again from https://"):
        build_clip("RN50", "openai")
    with pytest.raises(ValueError, match=f"{told}fetch it again from where it came from"):
        build_clip("RN50", str(file))


def test_a_file_without_clip_weights_is_no_file_of_openais(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt holds no weights in OpenAI's layout"):
        build_clip("openai", str(tmp_path / "other.pt"))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    shutil.copy(weights.BUNDLED_FOLDER / "open_clip_config.json", tmp_path)
    with pytest.raises(RuntimeError, match="Required pretrained weights"):
        build_clip(f"local-dir:{tmp_path}", None)


def test_preprocessing_is_the_weights_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled, _ = build_clip("lighting-clip", None)
    file = tmp_path / "weights.safetensors"
    save_file(bundled.state_dict(), file)
    monkeypatch.setattr(
        open_clip, "get_pretrained_cfg", lambda *_: {"mean": (0.5,) * 3, "resize_mode": "squash"}
    )
    monkeypatch.setitem(
        open_clip.factory._MODEL_CONFIGS,
        "lighting",
        json.loads((weights.BUNDLED_FOLDER / "open_clip_config.json").read_text())["model_cfg"],
    )
    _, preprocess = build_clip("lighting", str(file))
    assert (preprocess.size, preprocess.mean, preprocess.resize_mode) == (96, (0.5,) * 3, "squash")


@pytest.mark.parametrize(
    ("file", "quick"),
    [
        ("ViT-B-32-openai.safetensors", True),
        ("models--timm--vit_base_patch32_clip_224.openai/blob.safetensors", True),
        ("openai/laion.safetensors", False),  # a folder of anyone's
    ],
)
def test_bare_weights_are_openais_where_they_are_named_so(file: str, quick: bool) -> None:
    assert weights._named_openais(Path("/home/me", file)) is quick


def test_pretrained_is_asked_for_and_refused_where_it_has_no_place() -> None:
    with pytest.raises(ValueError, match="pretrained: got None for ViT-B-32"):
        build_clip("ViT-B-32", None)
    with pytest.raises(ValueError, match="holds its own weights"):
        build_clip("lighting-clip", "openai")


def test_openai_names_no_architecture(reference: Path) -> None:
    """Bare weights without OpenAI's three numbers: the weights tell the architecture."""
    model, _ = build_clip("openai", str(reference / "clip_vit.pt"))
    assert any(isinstance(module, QuickGELU) for module in model.visual.modules())


def test_weights_of_another_model_are_refused(reference: Path) -> None:
    with pytest.raises(ValueError, match=r"clip_vit\.pt holds no weights of ViT-B-32"):
        build_clip("ViT-B-32", str(reference / "clip_vit.pt"))
