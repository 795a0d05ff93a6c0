"""The check of the environment: what fits, what does not, and what it says to do."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.tools.loading import TOOLS, load_tool

TOOL = TOOLS / "check_env.py"


@pytest.fixture(scope="module")
def check_env() -> ModuleType:
    return load_tool("check_env")


@pytest.fixture
def fitting(check_env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Stand in an environment where every required package has the tested version.

    Returns:
        The versions; a test changes what it wants otherwise.
    """
    versions: dict[str, str | None] = {}
    for group in check_env.GROUPS:
        versions.update(check_env.read_requirements(check_env.ROOT / "requirements", group))
    monkeypatch.setattr(check_env, "installed_version", versions.get)
    monkeypatch.setattr(check_env, "probe", lambda: [("import", "torch", None), ("end", "", None)])
    monkeypatch.setattr(sys, "argv", ["check_env.py"])
    return versions


def test_fitting_environment(
    check_env: ModuleType, fitting: dict[str, str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_env.main() == 0
    printed = capsys.readouterr().out
    assert "The environment fits." in printed
    assert "mmengine" in printed


def test_quiet_prints_only_the_result(
    check_env: ModuleType,
    fitting: dict[str, str | None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["check_env.py", "--quiet"])
    fitting["ruff"] = None
    assert check_env.main() == 0
    assert capsys.readouterr().out == "The environment fits.\n"


def test_missing_mmagic_is_installed_without_its_requirements(
    check_env: ModuleType, fitting: dict[str, str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    fitting["mmagic"] = None
    fitting["einops"] = None
    assert check_env.main() == 1
    printed = capsys.readouterr().out
    assert f"{sys.executable} -m pip install einops==" in printed
    assert f"{sys.executable} -m pip install --no-deps mmagic==1.2.0" in printed


def test_version_that_cannot_work(
    check_env: ModuleType, fitting: dict[str, str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    fitting["mmcv-lite"] = "2.2.0"
    fitting["setuptools"] = "84.2.1"
    assert check_env.main() == 1
    printed = capsys.readouterr().out
    assert printed.count("too new") == 2
    assert "-m pip install mmcv-lite==2.1.0 setuptools==80.9.0" in printed


def test_another_version_is_told_but_fits(
    check_env: ModuleType, fitting: dict[str, str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    fitting["transformers"] = "4.44.2"
    fitting["torch"] = "2.11.0+cu130"
    assert check_env.main() == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["transformers", "4.44.2", "4.37.2", "untested"] in rows
    assert ["torch", "2.11.0+cu130", "2.11.0", "fits"] in rows


@pytest.mark.parametrize("needed", [False, True])
def test_demo_packages_count_only_when_asked_for(
    check_env: ModuleType,
    fitting: dict[str, str | None],
    monkeypatch: pytest.MonkeyPatch,
    needed: bool,
) -> None:
    fitting["mvtb-data"] = None
    if needed:
        monkeypatch.setattr(sys, "argv", ["check_env.py", "--with", "demo"])
    assert check_env.main() == int(needed)


def test_failing_import_is_told(
    check_env: ModuleType,
    fitting: dict[str, str | None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = "ImportError: libGL.so.1: cannot open shared object file"
    monkeypatch.setattr(check_env, "probe", lambda: [("error", "cv2", message)])
    assert check_env.main() == 1
    printed = capsys.readouterr().out
    assert f"fails: {message}" in printed
    assert "--force-reinstall --no-deps opencv-python-headless==" in printed


def test_probe_survives_a_crash(check_env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import os\nprint('noise')\nprint('@[\"import\", \"torch\", null]', flush=True)\nos.abort()"
    )
    monkeypatch.setattr(check_env, "PROBE", program)
    rows = check_env.probe()
    assert rows[0] == ("import", "torch", None)
    kind, _, message = rows[-1]
    assert kind == "error"
    assert "after torch" in message


def test_probe_survives_missing_packages(check_env: ModuleType) -> None:
    # -S hides site-packages: a Python with nothing installed.
    done = subprocess.run(
        [sys.executable, "-S", "-c", check_env.PROBE], capture_output=True, text=True, check=False
    )
    rows = done.stdout.splitlines()
    assert sum("ModuleNotFoundError" in row for row in rows) == len(rows) - 1
    assert rows[-1] == '@["end", "", null]'


def test_works_with_nothing_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-S", str(TOOL), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--quiet" in done.stdout


@pytest.mark.parametrize(
    ("line", "version", "expected"),
    [
        ("a==1", (3, 10), [("a", "1")]),
        ('a_b.c==1.2; python_version >= "3.11"', (3, 11), [("a_b.c", "1.2")]),
        ('a==1; python_version >= "3.11"', (3, 10), []),
        ('a==1; python_version < "3.11"', (3, 10), [("a", "1")]),
        ('a==1; python_version < "3.11"', (3, 12), []),
        ("# a==1", (3, 11), []),
    ],
)
def test_requirement_lines(
    check_env: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    version: tuple[int, int],
    expected: list[tuple[str, str]],
) -> None:
    (tmp_path / "core.txt").write_text(line + "\n", encoding="utf-8")
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    assert check_env.read_requirements(tmp_path, "core") == expected


def test_loose_requirement_is_refused(check_env: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "core.txt").write_text("torch>=2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="got 'torch>=2', expected a line like name==1.2"):
        check_env.read_requirements(tmp_path, "core")
