"""What is beside the package in a clone is in an installed package too, and is found in both."""

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import setuptools

import rave_mm
from rave_mm import config_path
from rave_mm.__main__ import main
from rave_mm.clip.bundled import BUNDLED_FOLDER

ROOT = Path(__file__).resolve().parents[1]
CAN_BUILD = (
    int(setuptools.__version__.partition(".")[0]) >= 71
    or importlib.util.find_spec("wheel") is not None
)


def shipped(folder: str, pattern: str) -> set[str]:
    """List the files of a folder of the clone, relative to the clone."""
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob(pattern)}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay out a small clone, with the package's own folder inside it."""
    (tmp_path / "setup.py").touch()
    for name in ("rave/rave_baid.py", "rave/rave_lol.py", "demo/rave_demo.py"):
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "say_hello.py").write_text(
        '"""Greet.\n\nAt length."""\nimport sys\nimport neighbour\n'
        "print('hello', __name__, sys.argv[1:])\nsys.exit(3)\n",
        encoding="utf-8",
    )
    (tmp_path / "tools" / "neighbour.py").write_text('"""Sit beside."""\n', encoding="utf-8")
    monkeypatch.setattr(rave_mm, "_PACKAGE", tmp_path / "rave_mm")
    return tmp_path


def test_the_citation_has_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {rave_mm.__version__}\n" in citation


def test_config_is_found_in_a_clone(clone: Path) -> None:
    expected = clone / "configs" / "demo" / "rave_demo.py"
    assert config_path("demo/rave_demo.py") == expected
    assert config_path("demo/rave_demo") == expected


def test_config_is_found_in_an_installed_package(clone: Path) -> None:
    mim = clone / "rave_mm" / ".mim"
    mim.mkdir(parents=True)
    (clone / "configs").rename(mim / "configs")
    assert config_path("rave/rave_lol.py") == mim / "configs" / "rave" / "rave_lol.py"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("rave_demo.py", "demo/rave_demo.py"), ("rave/rave_bade.py", "rave/rave_baid.py")],
)
def test_unknown_config_names_the_close_one(clone: Path, name: str, meant: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"no config '{name}'.*Did you mean {meant}"):
        config_path(name)


def test_unknown_config_lists_all(clone: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        config_path("zzz")
    message = str(raised.value)
    assert "Did you mean" not in message
    listed = [line.strip() for line in message.splitlines()[1:]]
    assert listed == ["demo/rave_demo.py", "rave/rave_baid.py", "rave/rave_lol.py"]


def test_bases_are_found_but_not_listed(clone: Path) -> None:
    base = clone / "configs" / "_base_" / "models" / "rave.py"
    base.parent.mkdir(parents=True)
    base.touch()
    assert config_path("_base_/models/rave.py") == base
    with pytest.raises(FileNotFoundError) as raised:
        config_path("rave.py")
    assert "_base_" not in str(raised.value)


def test_config_outside_the_folder_is_refused(clone: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no config"):
        config_path("../setup.py")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_tools_are_listed(
    clone: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "say-hello  Greet." in printed
    assert "At length" not in printed


def test_a_tool_runs_with_its_arguments_and_status(
    clone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["before"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as raised:
        main(["say-hello", "--work-dir", "x"])
    assert raised.value.code == 3
    assert "hello __main__ ['--work-dir', 'x']" in capsys.readouterr().out


def test_unknown_tool_names_the_close_one(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say_helo"]) == 2
    assert "no tool 'say_helo'. Did you mean 'say-hello'?" in capsys.readouterr().err


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """Build a wheel of this clone, in a copy of it, so that no build folder stays behind."""
    if not CAN_BUILD:
        pytest.skip(f"setuptools {setuptools.__version__} builds no wheels; `make setup` has 80.9")
    folder = tmp_path_factory.mktemp("wheel")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if files.returncode != 0:
        pytest.skip("not a git clone, so it is unknown which files belong to it")
    for name in files.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file() and not name.startswith(("docs/", "tests/")):
            target = folder / "clone" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(folder / "clone")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.Path(path)


@pytest.mark.slow
def test_wheel_holds_everything_that_is_needed(wheel: zipfile.Path) -> None:
    names = set(wheel.root.namelist())
    configs = {name for kind in ("py", "md", "yml") for name in shipped("configs", f"*.{kind}")}
    expected = {f"rave_mm/.mim/{name}" for name in configs}
    expected |= {f"rave_mm/.mim/{name}" for name in shipped("tools", "*.py")}
    expected |= {f"rave_mm/.mim/{name}" for name in shipped("requirements", "*.txt")}
    expected |= {"rave_mm/.mim/model-index.yml"}
    expected |= {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "rave_mm").rglob("*.py")
        if ".mim" not in path.parts
    }
    expected |= {
        name
        for suffix in ("*.json", "*.safetensors")
        for name in shipped("rave_mm/clip/lighting_clip", suffix)
    }
    expected |= shipped("rave_mm/inference", "*.pth") | shipped("rave_mm/inference", "*.onnx")
    expected |= shipped("rave_mm/web", "*.onnx") | shipped("rave_mm/web/pages", "*.*")
    expected |= shipped("rave_mm/evaluation/before_after", "*.*")
    expected |= {"rave_mm/py.typed"}
    assert not expected - names
    assert not {name for name in names if "__pycache__" in name or name.startswith("tests")}


def test_a_tag_names_the_version() -> None:
    """And the changelog and CITATION.cff know it."""
    command = ["git", "tag", "--points-at", "HEAD", "--list", "v*"]
    tags = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert set(tags.stdout.split()) <= {f"v{rave_mm.__version__}"}
    assert f"## [{rave_mm.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {rave_mm.__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.slow
def test_wheel_asks_for_little_and_not_for_mmagic(wheel: zipfile.Path) -> None:
    (name,) = (name for name in wheel.root.namelist() if name.endswith("METADATA"))
    text = wheel.root.read(name).decode()
    assert f"Version: {rave_mm.__version__}" in text
    (python,) = re.findall(r"^Requires-Python: (.+)$", text, re.MULTILINE)
    assert sorted(python.split(",")) == ["<3.13", ">=3.10"]
    wanted = re.findall(r"^Requires-Dist: (.+)$", text, re.MULTILINE)
    assert 'mmengine==0.10.7; extra == "train"' in wanted
    assert not any(line.startswith("mmagic") for line in wanted)
    assert 'numpy<2; extra == "train"' in wanted
    # What enhancing a photo takes is a range, and is small.
    core = {re.split("[<>=]", line)[0]: line for line in wanted if "extra ==" not in line}
    assert core.keys() == {
        "numpy", "onnxruntime", "pillow", "pyvips", "pyvips-binary", "tqdm", "typing_extensions",
    }  # fmt: skip
    assert all(">=" in line and "<" in line for line in core.values())
    scripts = wheel.root.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "rave-mm = rave_mm.__main__:run" in scripts


@pytest.mark.slow
def test_installed_wheel_works_from_another_folder(wheel: zipfile.Path, tmp_path: Path) -> None:
    wheel.root.extractall(tmp_path / "site")
    bundled = sorted(path.name for path in BUNDLED_FOLDER.glob("*.*"))
    assert bundled, f"no CLIP in {BUNDLED_FOLDER}"
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
sys.path = [path for path in sys.path if path != {str(ROOT)!r}]
from rave_mm import _shipped, config_path
from rave_mm.__main__ import main
from rave_mm.clip.bundled import BUNDLED_FOLDER
from rave_mm.datasets.photo_sets.sources import PHOTOGRAPHS
assert config_path("demo/rave_demo.py").is_file()
for name in {sorted(shipped("configs", "*.py"))!r}:
    assert config_path(name.removeprefix("configs/")).is_relative_to({str(tmp_path)!r}), name
assert _shipped("tools").is_dir() and PHOTOGRAPHS.is_file()
assert BUNDLED_FOLDER.is_relative_to({str(tmp_path)!r}), BUNDLED_FOLDER
bundled = sorted(path.name for path in BUNDLED_FOLDER.glob("*.*"))
assert bundled == {bundled!r}, bundled
sys.exit(main(["check_env", "--help"]))
"""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage: rave-mm check-env" in done.stdout


BUILD_FROM_BASE = """
import pathlib, types
import rave_mm.registry
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.registry import MODELS as MMENGINE_MODELS

# These import all of MMagic, which takes long and is not what is looked at here.
for name in ("rave_mm.register", *MODELS._locations):
    sys.modules[name] = types.ModuleType(name)

@MODELS.register_module()
class PackagedModel:
    pass

pathlib.Path("mine.py").write_text('_base_ = "rave_mm::rave/base_for_test.py"')
config = Config.fromfile("mine.py")
print(type(MMENGINE_MODELS.build(config.model)).__name__)
"""


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["installed", "editable"])
def test_mmengine_finds_base_configs_by_package_name(tmp_path: Path, layout: str) -> None:
    package = tmp_path / "site" / "rave_mm"
    package.mkdir(parents=True)
    for source in (ROOT / "rave_mm").glob("*.py"):
        (package / source.name).write_bytes(source.read_bytes())
    configs = package / ".mim" / "configs"
    if layout == "editable":
        configs.parent.mkdir()
        (tmp_path / "site" / "configs").mkdir()
        configs.symlink_to("../../configs", target_is_directory=True)
    (configs / "rave").mkdir(parents=True)
    (configs / "rave" / "base_for_test.py").write_text("model = dict(type='PackagedModel')")
    (package / ".mim" / "model-index.yml").write_text("Import: []\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n" + BUILD_FROM_BASE
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "PackagedModel"
    assert "WARNING" not in done.stdout + done.stderr
