from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU

from rave_mm.clip import weights
from rave_mm.clip.weights import MissingWeightsError, build_clip, find_weights


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.write_bytes(b"")
    assert find_weights("ViT-B-32", str(file)) == file


def test_unknown_weights_name_the_known_ones() -> None:
    with pytest.raises(
        MissingWeightsError, match=r"no CLIP weights 'opnai' for ViT-B-32.*laion2b_s34b_b79k"
    ):
        find_weights("ViT-B-32", "opnai")


def test_unknown_model_is_told() -> None:
    with pytest.raises(MissingWeightsError, match="the model's name is unknown too"):
        find_weights("ViT-X-1", "openai")


def test_missing_weights_tell_what_whence_and_where_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))

    def offline(*_: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(weights, "download_pretrained", offline)
    with pytest.raises(MissingWeightsError) as raised:
        find_weights("RN101-quickgelu", "openai")
    message = str(raised.value)
    assert "'openai' for RN101-quickgelu" in message
    assert "https://" in message
    assert str(tmp_path / "RN101-quickgelu-openai.pt") in message


def test_weights_that_were_put_there_by_hand_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVE_MM_WEIGHTS", str(tmp_path))
    file = tmp_path / "RN101-quickgelu-openai.safetensors"
    file.write_bytes(b"")
    assert find_weights("RN101-quickgelu", "openai") == file


def test_openai_weights_by_path_end_up_with_quickgelu(openai_files: Path) -> None:
    """The plain model's name with OpenAI's weights gives wrong features without an error."""
    model, preprocess = build_clip("ViT-B-32", str(openai_files / "clip_vit.pt"))
    assert any(isinstance(module, QuickGELU) for module in model.visual.modules())
    assert preprocess["mean"] == open_clip.OPENAI_DATASET_MEAN
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


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
