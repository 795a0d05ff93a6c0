"""The three cures: each works where it is needed and does nothing where it is not.

What depends on which modules are imported runs in a Python of its own.
"""

import pickle
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from rave_mm.runtime import compat

ROOT = Path(__file__).resolve().parents[1]


def run_python(source: str) -> str:
    """Run a program in a fresh Python that finds the package; return what it printed."""
    preamble = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", preamble + source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A finder that gives every import of mmcv and its modules to programs below, so that they need
# not import the real mmcv.ops, which takes seconds.
FAKE_MMCV = """
import pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "mmcv").mkdir()
(folder / "mmcv" / "__init__.py").touch()
(folder / "mmcv" / "ops.py").write_text(OPS)
sys.path.insert(0, str(folder))
from rave_mm.runtime import compat
"""


def test_stand_in_is_removed_when_the_import_fails() -> None:
    printed = run_python(
        "OPS = 'import mmcv._ext; mmcv_ext = sys_is_not_defined'"
        + FAKE_MMCV
        + """
try:
    compat.provide_mmcv_ops()
except NameError as error:
    print(error)
print("mmcv._ext" in sys.modules, "mmcv.ops" in sys.modules)
"""
    )
    assert "sys_is_not_defined" in printed
    assert printed.splitlines()[-1] == "False False"


def test_nothing_is_provided_beside_a_real_extension() -> None:
    printed = run_python(
        "OPS = 'raise AssertionError'"
        + FAKE_MMCV
        + """
(folder / "mmcv" / "_ext.py").touch()
print(compat.provide_mmcv_ops(), "mmcv.ops" in sys.modules)
"""
    )
    assert printed.split() == ["False", "False"]


def test_nothing_is_provided_when_mmcv_ops_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mmcv.ops", types.ModuleType("mmcv.ops"))
    assert compat.provide_mmcv_ops() is False


def test_missing_mmcv_is_an_import_error() -> None:
    run_python("""
import importlib.abc
class NoMMCV(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "mmcv":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NoMMCV())
from rave_mm.runtime import compat
try:
    compat.provide_mmcv_ops()
except ImportError:
    sys.exit(0)
sys.exit("no ImportError")
""")


@pytest.fixture
def nothing_allowed() -> Iterator[None]:
    """PyTorch as it starts, whatever was allowed before in this process."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)


class Tiny(BaseModel):
    """A model of one weight and one bias, whose loss is its output."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs: torch.Tensor, mode: str = "tensor") -> dict[str, torch.Tensor]:
        return {"loss": self.layer(inputs).mean()}


def tiny_runner(work_dir: Path, iterations: int, resume: bool) -> Runner:
    return Runner(
        model=Tiny(),
        work_dir=str(work_dir),
        train_dataloader=DataLoader([{"inputs": torch.ones(1)}] * 4, batch_size=2),
        train_cfg={"by_epoch": False, "max_iters": iterations},
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.1}},
        param_scheduler={"type": "ExponentialLR", "gamma": 0.9, "by_epoch": False},
        default_hooks={
            "checkpoint": {"type": "CheckpointHook", "by_epoch": False, "interval": 1},
            "logger": {"type": "LoggerHook", "interval": 1},
        },
        resume=resume,
        randomness={"seed": 0},
        experiment_name=f"{work_dir.name}_{iterations}",
        log_level="ERROR",
    )


@pytest.mark.usefixtures("nothing_allowed")
def test_a_real_runner_resumes(tmp_path: Path) -> None:
    tiny_runner(tmp_path, 2, resume=False).train()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "iter_2.pth", weights_only=True)

    assert compat.allow_mmengine_checkpoints() is True
    resumed = tiny_runner(tmp_path, 4, resume=True)
    resumed.train()
    assert resumed.iter == 4
    losses, _ = resumed.message_hub.get_scalar("train/loss").data
    assert len(losses) == 4
    assert np.all(np.diff(losses) < 0)
    assert resumed.message_hub.get_scalar("train/loss").mean() == losses.mean()


def buffer_of(*values: float) -> HistoryBuffer:
    buffer = HistoryBuffer()
    for value in values:
        buffer.update(value)
    return buffer


@pytest.mark.parametrize("score", [17.5, np.float32(17.5), np.float64(17.5), np.int64(17)])
def test_history_and_scores_load_with_weights_only(tmp_path: Path, score: float) -> None:
    compat.allow_mmengine_checkpoints()
    torch.save({"loss": buffer_of(3.0, 1.0), "best_score": score}, tmp_path / "hub.pth")
    loaded = torch.load(tmp_path / "hub.pth", weights_only=True)
    assert loaded["best_score"] == score
    assert loaded["loss"].mean() == 2.0
    assert loaded["loss"].statistics("min") == 1.0


@pytest.mark.parametrize(("here", "there"), [("numpy.core", "numpy._core")])
def test_checkpoint_of_another_numpy_loads(tmp_path: Path, here: str, there: str) -> None:
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        here, there = there, here
    compat.allow_mmengine_checkpoints()
    # A legacy (not zipped) file is a plain pickle stream whose names can be changed as text.
    path = tmp_path / "hub.pth"
    torch.save({"score": np.float64(2.5)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert f"c{here}.multiarray\n".encode() in content
    path.write_bytes(content.replace(f"c{here}.".encode(), f"c{there}.".encode()))
    assert torch.load(path, weights_only=True) == {"score": 2.5}


class Calls:
    """Pickles as a call of a function, as a harmful checkpoint would."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    "harmful",
    [
        Calls(getattr, HistoryBuffer, "register_statistics"),
        Calls(getattr, np.ndarray, "tofile"),
        Calls(eval, "1"),
    ],
    ids=["another attribute", "another owner", "another function"],
)
def test_nothing_else_is_allowed(tmp_path: Path, harmful: Calls) -> None:
    compat.allow_mmengine_checkpoints()
    torch.save(harmful, tmp_path / "harmful.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "harmful.pth", weights_only=True)


def test_refusal_names_the_attribute(tmp_path: Path) -> None:
    compat.allow_mmengine_checkpoints()
    torch.save(Calls(getattr, np.ndarray, "tofile"), tmp_path / "harmful.pth")
    with pytest.raises(pickle.UnpicklingError, match="asks for attribute 'tofile'"):
        torch.load(tmp_path / "harmful.pth", weights_only=True)


def test_allowing_twice_changes_nothing() -> None:
    compat.allow_mmengine_checkpoints()
    before = set(torch.serialization.get_safe_globals())
    assert compat.allow_mmengine_checkpoints() is False
    assert set(torch.serialization.get_safe_globals()) == before


def test_bool8_is_given_back_to_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", "2.2.6")
    monkeypatch.delitem(vars(np), "bool8", raising=False)
    try:
        assert compat.restore_numpy_bool8() is True
        assert np.bool8 is np.bool_
        assert compat.restore_numpy_bool8() is False
    finally:
        vars(np).pop("bool8", None)


def test_numpy_1_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.delitem(vars(np), "bool8", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compat.restore_numpy_bool8() is False
    assert "bool8" not in vars(np)


@pytest.mark.slow
def test_mmagic_imports_over_the_stand_in_and_quietly() -> None:
    printed = run_python("""
import importlib.util, warnings
from rave_mm.runtime import compat
compat.apply()
compat.apply()
with warnings.catch_warnings(record=True) as caught:
    import mmagic.models, mmagic.datasets, mmagic.evaluation
for warning in caught:
    if issubclass(warning.category, (UserWarning, FutureWarning)):
        print("warning:", warning.message)

import mmcv.ops, torch
from mmengine.utils.dl_utils import mmcv_full_available
if importlib.util.find_spec("mmcv._ext"):
    print("a real extension")
else:
    print("taken for a full MMCV:", mmcv_full_available(), "mmcv._ext" in sys.modules)
    try:
        mmcv.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except RuntimeError as error:
        print(error)
""")
    assert "warning:" not in printed
    if "a real extension" not in printed:
        assert "taken for a full MMCV: False False" in printed
        assert "compiled operator 'nms' was called" in printed
        assert "need the full MMCV" in printed
