"""The file that a benchmark leaves: what was measured, and on what."""

import json
from pathlib import Path
from typing import Any

import torch

from rave_mm.runtime.whole_files import write_whole


def save_record(path: Path, device: torch.device, **found: Any) -> None:
    """Write what was measured with the machine that it was measured on; whole or not there."""
    machine = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    write_whole(path, json.dumps({**machine, **found}, indent=2) + "\n")
