"""Photographs are found by name and paired by stem, and what does not fit is named."""

import pytest
from PIL import Image

from rave_mm.photos.folders import list_photos, pair_by_stem


def test_list_photos_sorts_and_ignores_what_is_no_photo(tmp_path):
    for name in ("b.JPG", "a.png", "c.TiFf", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_photos(tmp_path)] == ["a.png", "b.JPG", "c.TiFf"]


def test_list_photos_says_what_it_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere"):
        list_photos(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"found nothing; expected files that end in \.jpg"):
        list_photos(tmp_path)
    for name in ("a.txt", "b.txt", "c.npz"):
        (tmp_path / name).touch()
    with pytest.raises(NotADirectoryError, match="is a file"):
        list_photos(tmp_path / "a.txt")
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match=r"found 2 files in \.txt, 1 files in \.npz, 1 folders"):
        list_photos(tmp_path)


@pytest.fixture
def folders(tmp_path):
    """A function that fills two folders with gray photos of given names and sizes."""

    def fill(backlit, well_lit):
        for folder, photos in (("backlit", backlit), ("well_lit", well_lit)):
            (tmp_path / folder).mkdir()
            for name, size in photos.items():
                Image.new("RGB", size).save(tmp_path / folder / name)
        return tmp_path / "backlit", tmp_path / "well_lit"

    return fill


def test_pairs_match_by_stem_whatever_the_extension(folders):
    size = (8, 6)
    listing = pair_by_stem(*folders({"b.jpg": size, "a.png": size}, {"a.JPG": size, "b.png": size}))
    assert [(x.name, y.name) for x, y in listing.pairs] == [("a.png", "a.JPG"), ("b.jpg", "b.png")]
    assert listing.left_out == []


def test_numbered_duplicates_are_left_out_where_the_original_is_there(folders):
    names = ["0152.jpg", "0152(2).jpg", "0153.jpg", "0153 (3).jpg", "walk(1).jpg"]
    photos = dict.fromkeys(names, (8, 6))
    listing = pair_by_stem(*folders(photos, {**photos, "0152(7).jpg": (9, 9)}))
    assert [pair[0].name for pair in listing.pairs] == ["0152.jpg", "0153.jpg", "walk(1).jpg"]
    assert sorted(path.name for path in listing.left_out) == [
        "0152(2).jpg", "0152(2).jpg", "0152(7).jpg", "0153 (3).jpg", "0153 (3).jpg"
    ]  # fmt: skip


def test_every_unpaired_photo_is_named_and_long_lists_are_cut(folders):
    size = (8, 6)
    backlit = {f"{i:02}.png": size for i in range(14)} | {"x.png": size}
    backlit, well_lit = folders(backlit, {"x.png": size, "Y.png": size, "y2.png": size})
    with pytest.raises(ValueError, match="do not pair") as caught:
        pair_by_stem(backlit, well_lit)
    message = str(caught.value)
    assert f"14 have no partner in {well_lit}" in message
    assert "09.png" in message and "10.png" not in message and "and 4 more" in message
    assert f"2 have no partner in {backlit}" in message and "Y.png" in message


def test_case_is_part_of_a_stem(folders):
    with pytest.raises(ValueError, match=r"1 have no partner"):
        pair_by_stem(*folders({"A.png": (8, 6)}, {"a.png": (8, 6)}))


def test_two_files_of_one_stem(folders):
    size = (8, 6)
    with pytest.raises(ValueError, match=r"1 files share a stem.*\n.*a\.jpg and .*a\.png"):
        pair_by_stem(*folders({"a.png": size, "a.jpg": size}, {"a.png": size}))


def test_pairs_of_different_size_are_named(folders):
    with pytest.raises(ValueError, match=r"1 pairs differ in size:\n.*a\.png \(8x6\).*\(6x8\)"):
        pair_by_stem(
            *folders({"a.png": (8, 6), "b.png": (4, 4)}, {"a.png": (6, 8), "b.png": (4, 4)})
        )


def test_sizes_are_compared_upright(folders):
    backlit, well_lit = folders({"a.jpg": (8, 6)}, {"a.jpg": (8, 6)})
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (6, 8)).save(backlit / "a.jpg", exif=turned)
    assert len(pair_by_stem(backlit, well_lit).pairs) == 1


def test_unreadable_partner_is_named(folders):
    backlit, well_lit = folders({"a.png": (8, 6)}, {"a.png": (8, 6)})
    (well_lit / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 cannot be read:\n.*a\.png: the file is empty"):
        pair_by_stem(backlit, well_lit)
