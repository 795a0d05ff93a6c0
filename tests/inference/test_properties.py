"""Tiles and names of results, whatever the size of a photo and the names of files."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rave_mm.inference.photo_jobs import PlanError, plan_jobs
from rave_mm.inference.tiling import light_map_tiles, reach
from rave_mm.inference.windows import Window, cut
from rave_mm.networks.light_map_unet import LightMapUNet

lengths = st.integers(1, 300)


@given(lengths, lengths, st.integers(1, 90), st.integers(0, 20))
def test_tiles_cover_a_photo_once(height: int, width: int, side: int, around: int) -> None:
    tiles = cut(height, width, side, around)
    covered = torch.zeros(height, width, dtype=torch.int)
    for tile in tiles:
        covered[tile.core.slices] += 1
        core, seen = tile.core, tile.seen
        assert seen.top <= core.top < core.bottom <= seen.bottom
        assert seen.top >= 0 and seen.bottom <= height and seen.left >= 0 and seen.right <= width
        # As much around it as is needed, or the border of the photo.
        assert core.top - seen.top >= around or seen.top == 0
        assert seen.bottom - core.bottom >= around or seen.bottom == height
        assert core.left - seen.left >= around or seen.left == 0
        assert seen.right - core.right >= around or seen.right == width
    assert (covered == 1).all()
    sizes = {(t.seen.bottom - t.seen.top, t.seen.right - t.seen.left) for t in tiles}
    assert len(sizes) == 1 and max(max(sizes)) <= side + 2 * around


@pytest.fixture(scope="module")
def network() -> LightMapUNet:
    torch.manual_seed(0)
    return LightMapUNet(start="normal", padding_mode="reflect").eval()


@settings(max_examples=15)
@given(st.integers(2, 70), st.integers(2, 70), st.integers(4, 40))
def test_the_light_map_of_tiles_is_that_of_the_whole(
    network: LightMapUNet, height: int, width: int, side: int
) -> None:
    photo = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(side))

    def read(window: Window) -> torch.Tensor:
        rows, columns = window.slices
        return photo[..., rows, columns]

    pieces = torch.full((1, 1, height, width), torch.nan)
    for core, _, light_map in light_map_tiles(network, read, height, width, side):
        pieces[(..., *core.slices)] = light_map
    with torch.no_grad():
        torch.testing.assert_close(pieces, network(photo), atol=1e-5, rtol=0)
    assert reach(network) > 0


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
suffixes = st.sampled_from([".jpg", ".JPG", ".png", ".tif", ".webp", ".gif", ".heic", ".txt", ""])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(names, names, suffixes), min_size=1, max_size=6), st.booleans())
def test_results_stay_in_their_folder_and_apart(
    tmp_path: Path, files: list[tuple[str, str, str]], beside: bool
) -> None:
    photos = tmp_path / f"photos{len(list(tmp_path.iterdir()))}"
    for folder, name, suffix in files:
        path = photos / folder / f"{name}{suffix}"
        if len(path.name.encode()) < 200 and not path.parent.is_file() and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    out = photos / "out" if beside else tmp_path / "out"
    try:
        plan = plan_jobs([photos], out, light_map=True, compare=True)
    except PlanError as error:
        assert "no photograph in" in str(error) or "would overwrite" in str(error)
        return
    written = [path for job in plan.jobs for path in job.files]
    assert len(set(written)) == len(written)
    assert all(path.resolve().is_relative_to(out.resolve()) for path in written)
    assert not {job.source.resolve() for job in plan.jobs} & {path.resolve() for path in written}
