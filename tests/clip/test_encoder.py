import copy

import pytest

from rave_mm.clip.encoder import FrozenCLIP, load_clip


@pytest.fixture(scope="module")
def bundled() -> FrozenCLIP:
    return load_clip()


def test_loaded_once_and_shared_by_copies() -> None:
    assert load_clip() is load_clip()
    holder = {"clip": load_clip()}
    assert copy.deepcopy(holder)["clip"] is load_clip()


def test_one_setting_is_one_clip_however_it_is_spelled() -> None:
    one = load_clip()
    assert load_clip("lighting-clip") is one
    assert load_clip(precision="float32", model="lighting-clip") is one
    assert load_clip(antialias=False, pretrained=None) is one
    assert load_clip(antialias=True) is not one


def test_texts_are_embedded_in_the_same_space(bundled: FrozenCLIP) -> None:
    texts = bundled.embed_texts(["a dark photo", "a well-lit photo"])
    assert texts.shape == (2, bundled.dimension)
    assert float(texts[0] @ texts[1]) < 0.999
