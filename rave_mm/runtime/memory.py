"""How much memory there is, and how it is written."""

import ctypes
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MAX_PIXELS = 500 * 10**6
"""How many pixels a photograph may have: far more than cameras give, far less than a bomb."""

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MMAP_THRESHOLD = -3  # glibc's M_MMAP_THRESHOLD
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MOST_MEMORY = 8 * 10**9


def parse_memory(text: str) -> int:
    """Bytes of a text like "2GB", "1.5G", "800 MiB" or "4000000".

    Raises:
        ValueError: It is no such text, or none above zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise ValueError(f"got a memory size of {text!r}; expected one like 2GB, 1.5G or 800MB")
    unit = _UNITS[match[2].upper()]
    if match[3]:
        unit = 1024 ** (list(_UNITS).index(match[2].upper()))
    return int(float(match[1]) * unit)


def resident_memory() -> int:
    """Bytes of main memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back_freed_memory() -> None:
    """Have this process give memory back to the system as soon as it is freed, from 1 MB on.

    Otherwise glibc keeps blocks of up to 32 MB for later, in pieces that do not always fit: the
    network was seen to hold 1.7 times what it used. Memory that comes and goes is slow, unless
    it comes in huge pages: see :func:`ask_for_huge_pages`. Another C library than glibc is left
    as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 2**20)


def ask_for_huge_pages() -> None:
    """Have PyTorch ask Linux for pages of 2 MB in place of 4 kB, from tensors of 2 MB on.

    The system clears each page that it gives, and the processor looks each up: on a CPU the
    network in tiles took a third less time, for no more memory, and training a sixth less.
    PyTorch reads the setting at its first tensor, so that it does nothing after that; nor where
    the system has no such pages, nor where somebody has set it (``THP_MEM_ALLOC_ENABLE=0`` for
    none).
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def free_memory(device: "torch.device | None" = None) -> int:
    """Bytes that can still be had: of main memory, or of a GPU's.

    A container's limit counts, if it is lower than what the machine has.

    Args:
        device: A CPU or CUDA device; None for a CPU, without PyTorch.

    Returns:
        Bytes.
    """
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    if found is None:  # a kernel before 3.14
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        free = int(found[1]) * 1024
    limit = _CONTROL_GROUP / "memory.max"
    if limit.is_file() and (most := limit.read_text().strip()) != "max":
        used = int((_CONTROL_GROUP / "memory.current").read_text())
        files = re.search(
            r"^inactive_file (\d+)", (_CONTROL_GROUP / "memory.stat").read_text(), re.MULTILINE
        )
        # The kernel gives up its copies of files before it lets anything run out of memory.
        free = min(free, int(most) - used + (int(files[1]) if files else 0))
    return max(0, free)


def usual_memory(device: "torch.device | None" = None, sharing: int = 1) -> int:
    """Bytes to take where nobody says how many: half of what is free, at most 8 GB.

    Args:
        device: As for :func:`free_memory`.
        sharing: How many processes share what is free.
    """
    return min(free_memory(device) // 2 // sharing, _MOST_MEMORY)
