"""What the page shows of a photo takes as few decodings as its format allows."""

from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from rave_mm.inference.photo_enhancer import PhotoEnhancer
from rave_mm.inference.shipped import ShippedEnhancer
from rave_mm.inference.windows import Window
from rave_mm.photos import pillow_reader
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from rave_mm.web.album import Item
from rave_mm.web.workbench import Workbench
from tests.web.site import backlit


def test_a_photo_that_is_decoded_all_at_once_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photo(tmp_path / "a.webp", backlit(300, 400))
    decoded, decode = [], pillow_reader.channels
    monkeypatch.setattr(
        pillow_reader, "channels", lambda image: decoded.append(image) or decode(image)
    )
    loaded: Future[PhotoEnhancer | ShippedEnhancer] = Future()
    loaded.set_result(ShippedEnhancer())
    bench = Workbench({"ours": loaded}, None, 10**6)
    item = Item("a", tmp_path / "a.webp", None, tmp_path / "kept", "ours")
    bench.prepare(item)
    bench.figures(item, "ours", 1.0)
    for kind in ("before", "after", "light-map"):
        assert bench.picture(item, kind, "ours", 1.0, 200).startswith(b"\xff\xd8")
    part = bench.part(item, "before", "ours", 1.0, Window(20, 120, 30, 180), 1.0)
    assert len(decoded) == 1
    (tmp_path / "part.jpg").write_bytes(part)
    wanted = read_photo(tmp_path / "a.webp")[20:120, 30:180].astype(int)
    assert np.abs(read_photo(tmp_path / "part.jpg") - wanted).mean() < 4
