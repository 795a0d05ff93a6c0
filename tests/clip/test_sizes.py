from pathlib import Path

import open_clip
import pytest

from rave_mm.clip.sizes import ClipSizes, clip_sizes


def test_sizes_are_known_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: pytest.fail("loaded"))
    assert clip_sizes() == ClipSizes(256, (32, 64))
    assert clip_sizes("ViT-B-32-quickgelu", "openai") == ClipSizes(512, (77, 512))
    assert clip_sizes("ViT-L-14", "no/such.pt") == ClipSizes(768, (77, 768))
    assert clip_sizes("roberta-ViT-B-32", "laion2b_s12b_b32k") == ClipSizes(512, None)


def test_sizes_of_weights_that_tell_the_architecture(reference: Path) -> None:
    path = str(reference / "clip_vit.pt")
    assert clip_sizes(model="openai", pretrained=path) == ClipSizes(32, (77, 64))


def test_every_model_of_open_clip_tells_its_sizes() -> None:
    for name in open_clip.list_models():
        assert clip_sizes(name).dimension > 0
