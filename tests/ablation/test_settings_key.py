from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from rave_mm.ablation.grid import Grid, plan_runs
from rave_mm.ablation.settings_key import settings_key
from rave_mm.photos.writing import write_photo


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(**settings: object) -> Config:
    return Config({"model": {"weight": 1.0}, "data": {"backlit": "photos"}, **settings})


def write(path: str, size: int) -> None:
    write_photo(Path(path), np.zeros((size, 40, 3), np.uint8))


def test_equal_settings_are_one_run_whatever_they_are_called() -> None:
    first = next(plan_runs(config(), Grid({"weight": {"1": {"model.weight": 1.0}}}, seed_keys=())))
    with_grid = config(ablation={"axes": {}}, work_dir="elsewhere", _variable=3)
    second = next(plan_runs(with_grid, Grid({"other": {"default": {}}}, seed_keys=())))
    assert first.key == second.key
    assert settings_key(config(model={"weight": 2.0})) != first.key


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"data": {"backlit": "photos/a*"}},
        {"data": [{"data_root": "photos", "data_prefix": {"img": "."}}]},
    ],
    ids=["a folder", "a pattern", "MMagic's data set"],
)
def test_other_photographs_make_another_run(settings: dict[str, object]) -> None:
    keys = [settings_key(config(**settings))]
    for size in (4, 5):
        write("photos/a.png", size)
        keys.append(settings_key(config(**settings)))
    assert len(set(keys)) == 3


def test_files_beside_a_folder_that_is_missing_do_not_matter() -> None:
    key = settings_key(config())
    write("others/a.png", 4)
    assert settings_key(config()) == key


def test_another_file_under_the_same_name_makes_another_run() -> None:
    """A residual vector that was made anew, say."""
    guided = config(losses=[{"residual": "vector.npz"}], load_from="start.pth")
    keys = [settings_key(guided)]
    for path, content in (("vector.npz", b"1"), ("vector.npz", b"2"), ("start.pth", b"3")):
        Path(path).write_bytes(content)
        keys.append(settings_key(guided))
    assert len(set(keys)) == 4
    assert settings_key(guided) == keys[-1]


def test_a_text_too_long_for_a_name_is_no_file() -> None:
    assert settings_key(config(note="a long text. " * 1000))
