"""Several processes where there is no GPU: MMEngine's launchers would give each of them one."""

import os
import subprocess
from collections.abc import Mapping

import torch
from mmengine.config import Config

from rave_mm.runtime.setting_error import SettingError

_PORT = "29500"
"""PyTorch's own default."""


def connect_without_gpu(config: Config) -> None:
    """Connect the processes of torchrun or Slurm's srun by gloo.

    It leaves processes alone that are connected, and a model wrapper that names its devices.

    Raises:
        SettingError: the launcher is another, or did not start this process.
    """
    if config.launcher == "slurm":
        os.environ.update(as_torchrun(os.environ))
    elif config.launcher != "pytorch":
        raise SettingError(
            f"--launcher: got {config.launcher} without a GPU, expected pytorch (torchrun) or "
            "slurm (srun)"
        )
    torch.distributed.init_process_group("gloo")
    wrapper = config.get("model_wrapper_cfg") or {
        "broadcast_buffers": False,
        "find_unused_parameters": config.get("find_unused_parameters", False),
    }
    config.model_wrapper_cfg = {**wrapper, "device_ids": None}


def as_torchrun(environment: Mapping[str, str]) -> dict[str, str]:
    """What torchrun would tell a process that srun has started.

    Args:
        environment: Of the process. `MASTER_ADDR` and `MASTER_PORT` are kept; without them, the
            first node of the job is asked at PyTorch's default port.

    Raises:
        SettingError: srun did not start the process.
    """
    names = {"RANK": "SLURM_PROCID", "LOCAL_RANK": "SLURM_LOCALID", "WORLD_SIZE": "SLURM_NTASKS"}
    if missing := [name for name in names.values() if name not in environment]:
        raise SettingError(
            f"--launcher slurm: got no {', '.join(missing)}, expected a process that srun has "
            "started: srun --ntasks 2 python tools/train.py CONFIG --launcher slurm"
        )
    address = environment.get("MASTER_ADDR") or _first_node(environment["SLURM_NODELIST"])
    return {
        **{name: environment[slurm] for name, slurm in names.items()},
        "MASTER_ADDR": address,
        "MASTER_PORT": environment.get("MASTER_PORT", _PORT),
    }


def _first_node(nodes: str) -> str:
    """Of a list as Slurm writes it, such as `node[01-16]`."""
    told = subprocess.run(
        ["scontrol", "show", "hostnames", nodes], check=True, capture_output=True, text=True
    )
    return told.stdout.split()[0]
