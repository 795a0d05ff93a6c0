"""Check that the installed packages fit, and say what to do about those that do not.

Needs nothing but Python: it reads `requirements/`, asks the installed packages' metadata, and tries
the imports in a process of their own. Exit status 0 if rave_mm can run here, else 1.
"""

# Annotations stay unread, so that a Python too old for this project still gets its message.
from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON_RANGE = ((3, 10), (3, 13))
GROUPS = ("core", "train", "mmagic", "demo", "tests")
OPTIONAL = ("demo", "tests")

# The first version of each that is known not to work; others than the tested one may.
TOO_NEW = {
    "diffusers": "0.25",  # reported to break the import of MMagic
    "huggingface_hub": "0.26",  # diffusers 0.24 imports cached_download
    "mmcv-lite": "2.2",  # MMagic refuses it
    "pandas": "3",
    "setuptools": "81",  # no pkg_resources
    "transformers": "5",
}
# Either of the two will do.
INSTEAD = {
    "mmcv-lite": "mmcv",
    "opencv-python": "opencv-python-headless",
    "opencv-python-headless": "opencv-python",
}

PROBE = """
import importlib, json
def report(kind, name, value):
    print("@" + json.dumps([kind, name, value]), flush=True)
def attempt(kind, name, action):
    try:
        report(kind, name, action())
    except BaseException as error:
        report("error", name, f"{type(error).__name__}: {error}"[:600])
def imported(name):
    return importlib.import_module(name)
for name in ("torch", "torchvision", "cv2", "mmengine", "mmcv", "open_clip"):
    attempt("import", name, lambda: imported(name) and None)
def cuda():
    import torch
    if not torch.cuda.is_available():
        return "no: everything runs on the CPU"
    names = (torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return f"{torch.version.cuda}, " + ", ".join(names)
attempt("cuda", "CUDA", cuda)
for name in ("restore_numpy_bool8", "allow_mmengine_checkpoints", "provide_mmcv_ops"):
    attempt("cure", name, lambda: getattr(imported("rave_mm.runtime.compat"), name)())
for name in ("mmagic.models", "mmagic.datasets", "mmagic.evaluation"):
    attempt("import", name, lambda: imported(name) and None)
report("end", "", None)
"""


@dataclass(frozen=True)
class Package:
    """One required package beside what is installed of it.

    Args:
        name: The distribution's name.
        wanted: The version that this project is tested with.
        group: The file of `requirements/` that names it.
        installed: The installed version, or None.
    """

    name: str
    wanted: str
    group: str
    installed: str | None

    @property
    def verdict(self) -> str:
        """`fits`, `untested`, `too new`, or `missing`."""
        if self.installed is None:
            return "missing"
        # A build of the same version for some CUDA is 2.11.0+cu130.
        if self.installed.partition("+")[0] == self.wanted:
            return "fits"
        limit = TOO_NEW.get(self.name)
        if limit is not None and numbers(self.installed) >= numbers(limit):
            return "too new"
        return "untested"

    @property
    def fits(self) -> bool:
        return self.verdict in ("fits", "untested")


def numbers(version: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: `2.1.0rc1` is (2, 1, 0)."""
    return tuple(int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part)  # type: ignore[index]


def read_requirements(folder: Path, group: str) -> list[tuple[str, str]]:
    """Read names and versions for this Python from `FOLDER/GROUP.txt`.

    Args:
        folder: Where the requirement files are.
        group: The file's name without `.txt`.

    Returns:
        Pairs of a name and its pinned version.

    Raises:
        ValueError: A line is not like `name==1.2; python_version >= "3.11"`.
    """
    found = []
    path = folder / f"{group}.txt"
    pattern = r'([\w.-]+)==([\w.]+)(?:\s*;\s*python_version\s*(>=|<)\s*"([\d.]+)")?'
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(pattern, line.strip())
        if match is None:
            raise ValueError(
                f"{path}: got {line!r}, expected a line like "
                'name==1.2 or name==1.2; python_version >= "3.11"'
            )
        name, version, relation, python = match.groups()
        new_enough = python is None or sys.version_info[:2] >= numbers(python)
        if python is None or new_enough == (relation == ">="):
            found.append((name, version))
    return found


def installed_version(name: str) -> str | None:
    """Look up an installed distribution, or another that does as well."""
    for candidate in (name, INSTEAD.get(name)):
        if candidate is not None:
            try:
                return metadata.version(candidate)
            except metadata.PackageNotFoundError:
                continue
    return None


def find_packages(folder: Path) -> list[Package]:
    """List every required package with what is installed of it."""
    return [
        Package(name, wanted, group, installed_version(name))
        for group in GROUPS
        for name, wanted in read_requirements(folder, group)
    ]


def probe() -> list[tuple[str, str, object]]:
    """Try the imports and the cures in a process of their own.

    Returns:
        Rows of a kind (`import`, `error`, `cure`, `cuda` or `end`), a name and a value. A process
        that was killed ends with an `error` in place of `end`.
    """
    environment = dict(os.environ)
    if (ROOT / "rave_mm").is_dir():
        paths = [str(ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-W", "ignore", "-c", PROBE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    # Packages print on import too, hence the mark.
    rows = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@")]
    results = [(kind, name, value) for kind, name, value in rows]
    if not results or results[-1][0] != "end":
        tail = done.stderr.strip().splitlines()[-1:] or ["no message"]
        after = results[-1][1] if results else "start"
        message = f"the process ended with status {done.returncode} after {after}: {tail[0]}"
        results.append(("error", "Python", message))
    return results


def remedies(wrong: list[Package], errors: list[str]) -> list[str]:
    """Name the commands that put things right."""
    pip = f"{sys.executable} -m pip install"
    commands = []
    if not (PYTHON_RANGE[0] <= sys.version_info[:2] < PYTHON_RANGE[1]):
        commands.append("make setup BASE_PYTHON=/path/to/python3.11   # or Python 3.10 or 3.12")
    plain = [f"{package.name}=={package.wanted}" for package in wrong if package.name != "mmagic"]
    if plain:
        commands.append(f"{pip} {' '.join(plain)}")
    commands += [
        f"{pip} --no-deps mmagic=={package.wanted}   # its own requirements need a compiler"
        for package in wrong
        if package.name == "mmagic"
    ]
    if any("libGL" in error for error in errors):
        commands.append(f"{pip} --force-reinstall --no-deps opencv-python-headless==4.11.0.86")
    elif errors and not wrong:
        files = " ".join(f"-r {ROOT / 'requirements' / name}.txt" for name in ("core", "train"))
        commands.append(f"{pip} {files}   # the tested versions")
    return commands


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--with",
        dest="needed",
        action="append",
        default=[],
        choices=OPTIONAL,
        help="count what the demo or the tests need as required; may be given twice",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="print only what does not fit, and the result"
    )
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    python = ".".join(map(str, sys.version_info[:3]))
    python_fits = PYTHON_RANGE[0] <= sys.version_info[:2] < PYTHON_RANGE[1]
    rows = [("Python", python, "3.10-3.12", "fits" if python_fits else "does not fit")]

    wrong = []
    for package in find_packages(ROOT / "requirements"):
        optional = package.group in OPTIONAL and package.group not in arguments.needed
        if not package.fits and not optional:
            wrong.append(package)
        verdict = package.verdict + (f" (only for the {package.group})" if optional else "")
        rows.append((package.name, package.installed or "-", package.wanted, verdict))

    errors = []
    for kind, name, value in probe():
        if kind == "error":
            errors.append(f"{name}: {value}")
            rows.append((name, "-", "imports", f"fails: {value}"))
        elif kind == "import":
            rows.append((name, "imports", "imports", "fits"))
        elif kind == "cure":
            rows.append((f"compat.{name}", "applied" if value else "not needed", "-", ""))
        elif kind == "cuda":
            rows.append(("CUDA", str(value), "-", ""))

    bad = ("missing", "too new", "does not fit", "fails")
    for row in [("package", "installed", "tested with", ""), *rows]:
        needed = row[3].startswith(bad) and "only for" not in row[3]
        if needed or not arguments.quiet:
            print(f"{row[0]:<35} {row[1]:<14} {row[2]:<12} {row[3]}".rstrip())

    if python_fits and not wrong and not errors:
        print("The environment fits.")
        return 0
    print("\nThe environment does not fit. What to do:")
    for command in remedies(wrong, errors):
        print(f"  {command}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
