"""Sizes as people write them, and what the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import rave_mm
from rave_mm.runtime import memory
from rave_mm.runtime.memory import free_memory, parse_memory, resident_memory, usual_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2 * 10**9),
        ("1.5g", 15 * 10**8),
        ("800 MiB", 800 * 2**20),
        ("1TiB", 2**40),
        ("64kb", 64000),
        ("4000000", 4000000),
    ],
)
def test_parse_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 gigs", "1e9"])
def test_parse_memory_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="expected one like 2GB"):
        parse_memory(text)


def test_memory_of_this_machine() -> None:
    assert 10**6 < resident_memory() < 10**11
    assert 0 < free_memory(torch.device("cpu")) < 10**14


ENHANCES = """
from rave_mm.inference import PhotoEnhancer
PhotoEnhancer(device="cpu")
"""
TRAINS = """
import sys
from mmengine.config import Config
import rave_mm.register
from rave_mm import config_path
from rave_mm.engine.command_line import build_runner
config = Config.fromfile(config_path("demo/rave_demo"))
config.work_dir, config.launcher = sys.argv[1], "none"
config.load_from = "rave_mm/inference/bundled_enhancer.pth"
config.test_dataloader = config.test_evaluator = config.test_cfg = None
build_runner(config)
"""
# What is asked for, VmFlags' hg: what is given depends on how scattered the free memory is.
HUGE = """
import re
from pathlib import Path
import torch
held = torch.ones(16 * 2**20)
smaps = Path("/proc/self/smaps").read_text()
mappings = re.findall(r"^Size: +(\\d+) kB.*?^VmFlags: (.*?)$", smaps, re.MULTILINE | re.DOTALL)
print(sum(int(size) for size, flags in mappings if "hg" in flags.split()) * 1024)
"""


@pytest.mark.parametrize(
    ("work", "setting"),
    [(ENHANCES, None), (TRAINS, None), (ENHANCES, "0")],
    ids=["an enhancer", "a Runner", "unless said otherwise"],
)
def test_huge_pages_are_asked_for(work: str, setting: str | None, tmp_path: Path) -> None:
    if not Path("/sys/kernel/mm/transparent_hugepage").is_dir():
        pytest.skip("this system has no huge pages to ask for")
    root = Path(rave_mm.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    environment.pop("THP_MEM_ALLOC_ENABLE", None)
    if setting is not None:
        environment["THP_MEM_ALLOC_ENABLE"] = setting
    command = [sys.executable, "-W", "ignore", "-c", work + HUGE, str(tmp_path)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, cwd=root
    )
    asked = int(done.stdout.splitlines()[-1])
    assert asked == 0 if setting else asked >= 60 * 2**20


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000\n")
    assert free_memory(torch.device("cpu")) == 1300000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(torch.device("cpu")) > 1300000


@pytest.mark.parametrize(
    ("free", "sharing", "usual"), [(10**9, 2, 25 * 10**7), (10**11, 1, 8 * 10**9)]
)
def test_half_of_what_is_free_is_usual_and_no_more_than_8_gb(
    monkeypatch: pytest.MonkeyPatch, free: int, sharing: int, usual: int
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: free)
    assert usual_memory(sharing=sharing) == usual
