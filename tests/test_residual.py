from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rave_mm import residual as module
from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.functional import residual_vector
from rave_mm.image_files import list_photos
from rave_mm.residual import ResidualVector, embed_photos, residual_from_folders


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
    reference: Path, openai_files: Path, reference_losses: dict[str, np.ndarray]
) -> None:
    clip = FrozenCLIP("ViT-B-32", str(openai_files / "clip_vit.pt"))
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
    pieces = embed_photos(load_clip(), list_photos(folders[0]), batch_size=2)
    torch.testing.assert_close(whole.embeddings, pieces.embeddings, atol=1e-5, rtol=1e-5)


def test_unreadable_photos_are_all_named(folders: tuple[Path, Path]) -> None:
    for name in ("broken.jpg", "empty.png"):
        (folders[0] / name).write_bytes(b"not a photo" * (name != "empty.png"))
    with pytest.raises(
        ValueError,
        match=r"(?s)2 of 5 photos cannot be read:.*broken\.jpg.*empty\.png.*on_unreadable='skip'",
    ):
        residual_from_folders(load_clip(), *folders)


def test_unreadable_photos_are_skipped_on_request_and_counted(folders: tuple[Path, Path]) -> None:
    whole = residual_from_folders(load_clip(), *folders)
    (folders[0] / "broken.jpg").write_bytes(b"not a photo")
    skipped = residual_from_folders(load_clip(), *folders, on_unreadable="skip")
    assert skipped.provenance.skipped == 1 and skipped.provenance.well_lit_count == 3
    torch.testing.assert_close(skipped.vector, whole.vector)


def test_no_photo_left(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    with pytest.raises(ValueError, match="none of 1 photos could be read"):
        embed_photos(load_clip(), list_photos(tmp_path), on_unreadable="skip")


def test_16_bit_photos_are_read_as_8_bit_ones(tmp_path: Path) -> None:
    import cv2

    eight = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "8.png"), eight)
    cv2.imwrite(str(tmp_path / "16.png"), eight.astype(np.uint16) * 257)
    embeddings = embed_photos(load_clip(), list_photos(tmp_path)).embeddings
    torch.testing.assert_close(embeddings[0], embeddings[1])


def test_vector_is_that_of_the_pure_function(folders: tuple[Path, Path]) -> None:
    clip = load_clip()
    found = residual_from_folders(clip, *folders)
    rows = [embed_photos(clip, list_photos(folder)).embeddings for folder in folders]
    vector, target = residual_vector(*rows)
    torch.testing.assert_close(found.vector, vector)
    assert found.target == target
