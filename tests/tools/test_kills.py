"""What is killed goes on as if nothing had happened; `python -m tests.tools.kills` tries longer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_killed_while_it_writes_and_at_any_moment(work: Path) -> None:
    # In a process of its own, since it forks.
    command = [sys.executable, "-m", "tests.tools.kills", "--trials", "1", "--most-kills", "2"]
    command += ["--seed", "4"]  # kills while the first file is being written
    done = subprocess.run(
        [*command, "--kinds", "RAVE", "enhancing"],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(
        r"^(\S+): (\d) kills in 1 trials; nothing was lost in (\d)", done.stdout, re.M
    )
    assert [(kind, lost) for kind, _, lost in told] == [("RAVE", "1"), ("enhancing", "1")], done
    assert int(told[0][1]) > 0, "a training is long enough to be killed; two photos may not be"
    assert done.returncode == 0
