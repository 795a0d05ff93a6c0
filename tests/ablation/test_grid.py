import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.ablation.grid import Grid, plan_runs, read_grid
from rave_mm.direction.estimators import ESTIMATORS

CONFIGS = config_path("demo/rave_demo").parents[1]
ABLATIONS = sorted((CONFIGS / "demo/ablations").glob("*.py"))
OF_BAID = sorted((CONFIGS / "rave/ablations").glob("*.py"))


def config() -> Config:
    return Config(
        {
            "model": {"weight": 1.0, "losses": [{"type": "a"}]},
            "data": {"backlit": "photos"},
            "randomness": {"seed": 0},
            "work_dir": "somewhere",
        }
    )


def test_a_run_for_each_setting_of_each_axis_and_each_seed() -> None:
    grid = Grid(
        {
            "weight": {"low": {"model.weight": 0.5}, "as it is": {}},
            "type": {"b": {"model.losses.0.type": "b"}},
        },
        seeds=(0, 3),
        seed_keys=("randomness.seed", "model.seed"),
    )
    runs = list(plan_runs(config(), grid))
    assert [(run.labels, run.seed) for run in runs] == [
        (("low", "b"), 0),
        (("low", "b"), 3),
        (("as it is", "b"), 0),
        (("as it is", "b"), 3),
    ]
    assert runs[1].config.model.to_dict() == {"weight": 0.5, "losses": [{"type": "b"}], "seed": 3}
    assert runs[1].config.randomness.seed == 3 and "work_dir" not in runs[1].config
    assert runs[1].name == "low, b, seed 3"
    assert len({run.key for run in runs}) == 4


def test_a_setting_that_replaces_a_part_does_so_with_each_seed() -> None:
    replaced = {"model": {"_delete_": True, "other": 2}}
    runs = list(plan_runs(config(), Grid({"model": {"other": replaced}}, seeds=(0, 1))))
    assert [run.config.model.to_dict() for run in runs] == [{"other": 2}] * 2


def test_values_on_the_command_line_are_python_or_words() -> None:
    vary = ["model.weight=1,2.5", "model.kind=mean,None", "model.words=['a','b'],[],(1, 2)"]
    grid = read_grid(config(), vary, [4])
    assert grid.axes["model.weight"] == {"1": {"model.weight": 1}, "2.5": {"model.weight": 2.5}}
    assert grid.axes["model.kind"]["mean"] == {"model.kind": "mean"}
    assert grid.axes["model.kind"]["None"] == {"model.kind": None}
    values = [setting["model.words"] for setting in grid.axes["model.words"].values()]
    assert values == [["a", "b"], [], (1, 2)]
    assert list(grid.seeds) == [4]


def test_what_is_varied_on_the_command_line_keeps_the_seeds_of_the_config() -> None:
    demo = Config.fromfile(config_path("demo/ablations/random_vector"))
    key = "model.losses.guidance.residual.estimator"
    grid = read_grid(demo, [f"{key}=random"])
    assert list(grid.axes) == [key] and list(grid.seeds) == [0, 1, 2]
    residuals = [run.config.model.losses.guidance.residual for run in plan_runs(demo, grid)]
    assert [residual.seed for residual in residuals] == [0, 1, 2]
    assert list(read_grid(demo, [f"{key}=random"], [5]).seeds) == [5]


@pytest.mark.parametrize(
    "argument", ["model.weight", "=1", "model.weight=", "model.weight=1,", "model.weight=[[1],[2]]"]
)
def test_not_of_the_form(argument: str) -> None:
    with pytest.raises(ValueError, match="expected KEY=VALUE,VALUE"):
        read_grid(config(), [argument])


def test_a_list_of_words_without_quotes() -> None:
    with pytest.raises(ValueError, match=r"got \[a,b\], expected a list as Python writes it"):
        read_grid(config(), ["model.words=[a,b]"])


def test_a_key_that_would_have_no_effect() -> None:
    for key, message in (
        ("modle.weight", "the config has no 'modle'; it has model, data"),
        ("model.loses.guidance", "model has no 'loses'; it has weight, losses"),
        ("model.losses.7.type", "model.losses has no '7'; it has 0"),
        ("model.weight.x.y", "model.weight has no 'x'; it has no parts"),
        ("model.weight.x", "model.weight is 1.0, which has no parts"),
        ("data.backlit", "data is a variable of the config, which decides nothing"),
    ):
        with pytest.raises(ValueError, match=f"^{key}: {message}"):
            list(plan_runs(config(), Grid({"x": {"y": {key: 1}}})))


def test_a_seed_for_a_vector_from_a_file_is_refused() -> None:
    demo = Config.fromfile(config_path("demo/ablations/weight"))
    demo.model.losses.guidance.residual = "residual.npz"
    with pytest.raises(ValueError, match=r"residual\.seed: .* is 'residual\.npz', which has no"):
        list(plan_runs(demo, read_grid(demo)))


def test_a_config_without_a_grid() -> None:
    with pytest.raises(ValueError, match=r"an ablation needs axes .* or say --vary"):
        read_grid(config())


@pytest.mark.parametrize(
    "path", [*ABLATIONS, *OF_BAID], ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_the_papers_questions_are_planned(path: Path) -> None:
    config = Config.fromfile(path)
    grid = read_grid(config)
    runs = list(plan_runs(config, grid))
    settings = len(next(iter(grid.axes.values())))
    assert len(runs) == len({run.key for run in runs}) == 3 * settings
    for run in runs:
        residual = run.config.model.losses.guidance.residual
        assert residual.get("estimator", "mean") in ESTIMATORS


def test_baid_and_the_demo_are_asked_the_same_with_the_same_seeds() -> None:
    assert [path.name for path in ABLATIONS] == [path.name for path in OF_BAID]
    for of_demo, of_baid in zip(ABLATIONS, OF_BAID, strict=True):
        here, there = (read_grid(Config.fromfile(path)) for path in (of_demo, of_baid))
        assert list(here.axes) == list(there.axes)
        assert (here.seeds, here.seed_keys) == (there.seeds, there.seed_keys)
        if of_demo.stem != "photos":  # the demo has 63 of either kind, BAID 380
            assert set(next(iter(here.axes.values()))) == set(next(iter(there.axes.values())))


def test_a_network_that_starts_as_the_identity_is_guided_as_long_as_the_papers() -> None:
    start = Config.fromfile(config_path("rave/ablations/start"))
    papers, identity = list(plan_runs(start, read_grid(start)))[::3]
    phases = [[phase.name for phase in run.config.train_cfg.phases] for run in (papers, identity)]
    assert phases == [["reconstruction", "guided"], ["guided"]]
    assert papers.config.train_cfg.phases[1] == identity.config.train_cfg.phases[0]
    assert [run.config.model.generator.start for run in (papers, identity)] == [
        "normal",
        "identity",
    ]


def test_a_restorer_is_compared_with_and_without_the_guidance() -> None:
    mixed = Config.fromfile(config_path("mix/ablations/guidance"))
    terms = {
        run.labels[0]: list(run.config.model.pixel_loss.terms)
        for run in plan_runs(mixed, read_grid(mixed))
    }
    assert terms == {
        "L1": ["pixel"],
        "L1 + guidance": ["pixel", "guidance"],
        "L1 + guidance + identity": ["pixel", "guidance", "identity"],
    }


def test_the_demo_itself_is_run_once_for_five_of_the_grids() -> None:
    keys = []
    for path in ABLATIONS:
        demo = Config.fromfile(path)
        keys.append({run.key for run in plan_runs(demo, read_grid(demo))})
    shared = [key for key in set.union(*keys) if sum(key in of_grid for of_grid in keys) == 5]
    assert len(shared) == 3  # with each seed
    assert len(set.union(*keys)) == 54


def test_planning_needs_no_mmagic() -> None:
    """Which does not import before its cures, and tools/ablate.py only starts others that do."""
    code = "import sys, rave_mm.ablation.grid; sys.exit('mmagic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
