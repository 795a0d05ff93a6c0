"""What srun tells a process, as torchrun would tell it."""

from pathlib import Path

import pytest

from rave_mm.engine.processes import as_torchrun
from rave_mm.runtime.setting_error import SettingError

SLURM = {
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
    "SLURM_NTASKS": "16",
    "SLURM_NODELIST": "node[03-04]",
}


def test_a_process_of_srun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames node[03-04]" ] && echo node03 node04\n'
    )
    scontrol.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = {"RANK": "9", "LOCAL_RANK": "1", "WORLD_SIZE": "16"}
    assert as_torchrun(SLURM) == {**found, "MASTER_ADDR": "node03", "MASTER_PORT": "29500"}
    meeting = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "4000"}
    assert as_torchrun({**SLURM, **meeting}) == {**found, **meeting}


def test_a_process_of_nobody() -> None:
    with pytest.raises(SettingError, match="got no SLURM_PROCID, expected a process that srun"):
        as_torchrun({name: value for name, value in SLURM.items() if name != "SLURM_PROCID"})
