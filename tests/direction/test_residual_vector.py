import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from rave_mm.clip import photo_embeddings as module
from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.photo_embeddings import embed_photos
from rave_mm.clip.vocabulary import embed_phrases
from rave_mm.direction.clouds import choose_photos
from rave_mm.direction.residual_vector import ResidualVector, residual_from_folders
from rave_mm.functional import residual_vector, target_along
from rave_mm.photos import reading
from rave_mm.photos.folders import list_photos
from rave_mm.photos.formats import Format


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rave_mm" / "embeddings"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three well-lit and two backlit photos."""
    rng = np.random.default_rng(0)
    for name, count, brightness in (("well-lit", 3, 200), ("backlit", 2, 40)):
        (tmp_path / name).mkdir()
        for index in range(count):
            pixels = rng.integers(brightness - 30, brightness + 30, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return tmp_path / "well-lit", tmp_path / "backlit"


def test_golden_residual_of_photos(
    reference: Path, reference_losses: dict[str, np.ndarray]
) -> None:
    clip = FrozenCLIP("openai", str(reference / "clip_vit.pt"))
    photos = reference / "photos"
    found = residual_from_folders(clip, photos / "well_lit", photos / "backlit")
    expected = torch.from_numpy(reference_losses["photos_residual"])
    torch.testing.assert_close(found.vector, expected, rtol=1e-5, atol=1e-5)
    assert found.target == pytest.approx(float(reference_losses["photos_target"]), rel=1e-5)


def test_provenance_tells_where_it_comes_from(folders: tuple[Path, Path]) -> None:
    well_lit, backlit = folders
    found = residual_from_folders(load_clip(), well_lit, backlit)
    provenance = found.provenance
    assert (provenance.well_lit_count, provenance.backlit_count, provenance.skipped) == (3, 2, 0)
    assert provenance.clip == "lighting-clip"
    assert provenance.clip_fingerprint == load_clip().fingerprint
    assert provenance.well_lit == str(well_lit)
    assert provenance.estimator == "mean"
    assert provenance.date.endswith("+00:00")


def test_save_and_load(folders: tuple[Path, Path], tmp_path: Path) -> None:
    found = residual_from_folders(load_clip(), *folders)
    found.save(tmp_path / "made" / "residual.npz")
    loaded = ResidualVector.load(tmp_path / "made" / "residual.npz")
    torch.testing.assert_close(loaded.vector, found.vector, rtol=0, atol=0)
    assert loaded.target == pytest.approx(found.target)
    assert loaded.provenance == found.provenance
    assert [p.name for p in (tmp_path / "made").iterdir()] == ["residual.npz"]


def test_another_file_is_no_residual_vector(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("other.npz", "text.npz"):
        with pytest.raises(
            ValueError, match=f"{name} is no residual vector: expected an .npz with vector"
        ):
            ResidualVector.load(tmp_path / name)


def test_photos_are_embedded_once(
    folders: tuple[Path, Path], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embed_photos(load_clip(), list_photos(folders[0]))
    monkeypatch.setattr(module, "_embed_uncached", lambda *_: pytest.fail("was embedded again"))
    torch.testing.assert_close(
        embed_photos(load_clip(), list_photos(folders[0])).embeddings, first.embeddings
    )
    folders[0].rename(tmp_path / "moved")
    torch.testing.assert_close(
        embed_photos(load_clip(), list_photos(tmp_path / "moved")).embeddings, first.embeddings
    )
    assert len(list(cache.iterdir())) == 1


def test_other_contents_under_the_same_name_are_embedded_anew(folders: tuple[Path, Path]) -> None:
    before = embed_photos(load_clip(), list_photos(folders[0])).embeddings
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(folders[0] / "1.png")
    after = embed_photos(load_clip(), list_photos(folders[0])).embeddings
    assert (before[1] - after[1]).abs().max() > 0.01
    torch.testing.assert_close(before[[0, 2]], after[[0, 2]])


def test_batches_do_not_matter(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = embed_photos(load_clip(), list_photos(folders[0]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other_cache"))
    monkeypatch.setattr(module, "_BATCH", 2)  # three photos: also more than one process may read
    pieces = embed_photos(load_clip(), list_photos(folders[0]))
    torch.testing.assert_close(whole.embeddings, pieces.embeddings, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("batch", "processes"), [(2, 3), (3, 0)])
def test_more_than_a_batch_is_read_by_several_processes(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, batch: int, processes: int
) -> None:
    asked = []

    def loader(*args: Any, num_workers: int, **kwargs: Any) -> DataLoader:
        asked.append(num_workers)
        return DataLoader(*args, **kwargs)

    monkeypatch.setattr(module, "DataLoader", loader)
    monkeypatch.setattr(module, "_BATCH", batch)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 3)
    embed_photos(load_clip(), list_photos(folders[0]))
    assert asked == [processes]


def test_unreadable_photos_of_both_folders_are_all_named(folders: tuple[Path, Path]) -> None:
    (folders[0] / "broken.jpg").write_bytes(b"not a photo")
    (folders[1] / "empty.png").write_bytes(b"")
    with pytest.raises(
        ValueError,
        match=r"(?s)2 of 7 photos cannot be read:.*broken\.jpg.*empty\.png.*on_unreadable='skip'",
    ):
        residual_from_folders(load_clip(), *folders)


def test_unreadable_photos_are_skipped_on_request_and_counted(folders: tuple[Path, Path]) -> None:
    whole = residual_from_folders(load_clip(), *folders)
    (folders[0] / "broken.jpg").write_bytes(b"not a photo")
    skipped = residual_from_folders(load_clip(), *folders, on_unreadable="skip")
    assert skipped.provenance.skipped == 1 and skipped.provenance.well_lit_count == 3
    torch.testing.assert_close(skipped.vector, whole.vector)


@pytest.mark.parametrize("failing", [1, 2], ids=["hashing", "reading"])
def test_an_error_that_passes_is_not_remembered(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    read = Path.read_bytes
    times = 0

    def fail_once(path: Path) -> bytes:
        nonlocal times
        times += path == folders[0] / "1.png"
        if path == folders[0] / "1.png" and times == failing:
            raise OSError(5, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fail_once)
    embed_photos(load_clip(), list_photos(folders[0]))
    again = embed_photos(load_clip(), list_photos(folders[0]))
    assert len(again.embeddings) == 3 and not again.unreadable


def test_a_photo_that_may_not_be_read_is_unreadable(
    folders: tuple[Path, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = reading.format_of_file

    def refuse_one(path: Path) -> Format | None:
        if path == folders[0] / "1.png":
            raise PermissionError(13, "Permission denied")
        return find(path)

    monkeypatch.setattr(reading, "format_of_file", refuse_one)
    with pytest.raises(ValueError, match=r"(?s)1 of 5 photos.*1\.png: .*Permission denied"):
        residual_from_folders(load_clip(), *folders)
    skipped = residual_from_folders(load_clip(), *folders, on_unreadable="skip")
    assert (skipped.provenance.well_lit_count, skipped.provenance.skipped) == (2, 1)
    assert len(list(cache.iterdir())) == 1, "only the other folder's embeddings are kept"


def test_an_unreadable_photo_keeps_the_cache_away(folders: tuple[Path, Path], cache: Path) -> None:
    (folders[0] / "broken.jpg").write_bytes(b"not a photo")
    found = embed_photos(load_clip(), list_photos(folders[0]))
    assert len(found.embeddings) == 3 and len(found.unreadable) == 1
    assert not cache.exists()


def test_no_photo_left(folders: tuple[Path, Path]) -> None:
    for path in folders[1].iterdir():
        path.write_bytes(b"not a photo")
    with pytest.raises(ValueError, match="none of 2 photos in .*backlit can be read"):
        residual_from_folders(load_clip(), *folders, on_unreadable="skip")


def test_unknown_way_with_unreadable_photos(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match="on_unreadable: got 'ignore', expected one of error, sk"):
        residual_from_folders(load_clip(), *folders, on_unreadable="ignore")


def test_16_bit_photos_are_read_as_8_bit_ones(tmp_path: Path) -> None:
    import cv2

    eight = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "8.png"), eight)
    cv2.imwrite(str(tmp_path / "16.png"), eight.astype(np.uint16) * 257)
    embeddings = embed_photos(load_clip(), list_photos(tmp_path)).embeddings
    torch.testing.assert_close(embeddings[0], embeddings[1])


def test_settings_reach_the_vector_and_its_provenance(folders: tuple[Path, Path]) -> None:
    clip = load_clip()
    paper = residual_from_folders(clip, *folders)
    words = ["a tower", "noise"]
    steered = residual_from_folders(
        clip, *folders, estimator="median", remove_words=words, photos=2, seed=1
    )
    assert (embed_phrases(clip, words).embeddings @ steered.vector).abs().max() < 1e-5
    assert (steered.vector - paper.vector).norm() > 0.01
    origin = steered.provenance
    assert (origin.estimator, origin.removed, origin.seed) == (
        "median",
        "the words a tower, noise",
        1,
    )
    assert (origin.well_lit_count, origin.backlit_count) == (2, 2)
    well_lit = embed_photos(clip, choose_photos(folders[0], 2, 1)).embeddings
    assert steered.target == pytest.approx(target_along(steered.vector, well_lit))


def test_a_file_of_before_there_was_a_bias_to_remove(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    found = residual_from_folders(load_clip(), *folders)
    old = asdict(found.provenance)
    del old["removed"], old["seed"]
    np.savez(
        tmp_path / "old.npz",
        vector=found.vector.numpy(),
        target=np.float32(found.target),
        provenance=np.array(json.dumps(old)),
    )
    assert ResidualVector.load(tmp_path / "old.npz").provenance == found.provenance


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": "mode"}, "estimator: got 'mode', expected one of mean, median"),
        ({"remove_words": "light"}, "remove_words: got the string 'light'"),
        ({"photos": 3}, "photos: got 3, expected 1 to 2"),
    ],
)
def test_bad_settings(folders: tuple[Path, Path], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        residual_from_folders(load_clip(), *folders, **settings)


def test_vector_is_that_of_the_pure_function(folders: tuple[Path, Path]) -> None:
    clip = load_clip()
    found = residual_from_folders(clip, *folders)
    rows = [embed_photos(clip, list_photos(folder)).embeddings for folder in folders]
    vector, target = residual_vector(*rows)
    torch.testing.assert_close(found.vector, vector)
    assert found.target == pytest.approx(target, abs=1e-6)
