"""Every code block of README and docs runs, or says above it why it is not run here.

`<!-- not run: WHY -->` stands above a block that takes too long, or something that is not here. The
arguments of its commands are read by the commands' own parsers all the same.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.writing import write_photo
from tests.code_blocks import BLOCK, ROOT, Block, blocks
from tests.tools.loading import TOOLS

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "configs/*/README.md")
    for path in ROOT.glob(pattern)
)
WHOLE = "the block ran to its end\n"
RUN_BLOCKS = f"""
import json, sys
names = {{"__name__": "__main__"}}
for line in sys.stdin:
    exec(compile(json.loads(line), "block", "exec"), names)
    print()
    print({WHOLE!r}, end="", flush=True)
"""


def commands(block: Block) -> Iterator[list[str]]:
    """The commands of a block, without comments and settings of the environment."""
    for line in block.code.replace("\\\n", " ").splitlines():
        command: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word != "&&":
                command.append(word)
                continue
            while command and re.fullmatch(r"[A-Z_]+=\S*", command[0]):
                command.pop(0)
            if command:
                yield command
            command = []


def tool_of(command: list[str]) -> tuple[str, list[str]] | None:
    """The tool of this package that a command runs, and its arguments."""
    if command[0] == "rave-mm":
        return command[1].replace("-", "_"), command[2:]
    for place, word in enumerate(command):
        if word.startswith("tools/") and word.endswith(".py"):
            return Path(word).stem, command[place + 1 :]
    return None


def read_arguments(tool: str, arguments: list[str]) -> None:
    """Have a tool read its arguments: what stands in it before it imports anything heavy."""
    source = (TOOLS / f"{tool}.py").read_text(encoding="utf-8")
    head = source.partition('\nif __name__ == "__main__":')[0]
    module: dict[str, object] = {"__name__": f"head_of_{tool}", "__doc__": "", "__file__": __file__}
    exec(compile(head, f"{tool}.py", "exec"), module)
    parse = module["parse_arguments"]
    assert callable(parse)
    assert isinstance(parse(), argparse.Namespace)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where blocks run: photos, folders of them, and checkpoints under the names that docs use."""
    found, rng = tmp_path_factory.mktemp("docs"), np.random.default_rng(0)
    for index, photo in enumerate((data.astronaut(), data.coffee(), data.chelsea())):
        small = np.ascontiguousarray(photo[::2, ::2])
        write_photo(found / "my/well-lit" / f"{index}.jpg", small)
        write_photo(found / "my/backlit" / f"{index}.jpg", synthetic_backlight(small, rng))
    shutil.copytree(found / "my/backlit", found / "my/photos")
    shutil.copy(found / "my/backlit/0.jpg", found / "dark.jpg")
    for name in ("rave.pth", "rave_unpaired.pth", "CHECKPOINT"):
        torch.save({"state_dict": LightMapUNet(start="identity").state_dict()}, found / name)
    return found


def test_blocks_are_found() -> None:
    """So that a page whose fences are written otherwise is not passed over."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert len(BLOCK.findall(text)) * 2 == len(re.findall(r"^```", text, re.MULTILINE)), page
        assert not re.search(r"(?:\A|\n\n)    \S", re.sub(BLOCK, "", text)), f"{page}: use ```"
    assert sum(len(list(blocks(page))) for page in PAGES) > 35


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))])
def test_arguments_are_known(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every command, run or not."""
    monkeypatch.chdir(folder)
    for block in blocks(page):
        for command in commands(block) if block.kind == "shell" else ():
            tool = tool_of(command)
            if tool is None:
                continue
            name, arguments = tool
            for word in arguments:
                if name == "test" and word.endswith(".pth"):
                    Path(word).parent.mkdir(parents=True, exist_ok=True)
                    Path(word).touch()
            monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
            read_arguments(name, arguments)


class Interpreter:
    """A Python that runs the blocks of a page in turn: what one defines, the next has."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN_BLOCKS],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, code: str) -> str:
        """Run a block; return what it printed, with `WHOLE` at its end unless it failed."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        told = ""
        for line in self.process.stdout:
            told += line
            if line == WHOLE:
                break
        return told

    def close(self) -> None:
        self.process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if any(block.runs for block in blocks(p))])
def test_blocks_run(page: str, folder: Path) -> None:
    """In their order."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "TOOLS": str(TOOLS)}
    with contextlib.ExitStack() as ending:
        python = None
        for block in blocks(page):
            if not block.runs:
                continue
            if block.kind == "python":
                python = python or ending.enter_context(
                    contextlib.closing(Interpreter(folder, environment))
                )
                told = python.run(block.code)
                assert told.endswith(WHOLE), f"{page}:\n{block.code}\n{told}"
                continue
            assert block.kind == "shell", f"{page}: a block of {block.kind!r}"
            shell = re.sub(r"^python tools/", 'python "$TOOLS"/', block.code, flags=re.MULTILINE)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", shell],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{page}:\n{block.code}\n{done.stdout}\n{done.stderr}"
