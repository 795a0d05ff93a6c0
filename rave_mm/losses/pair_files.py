"""The files of prompt pairs and latent pairs: this package's, published ones, and checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rave_mm.runtime.tensor_file import read_tensors
from rave_mm.runtime.whole_files import replacing

SUFFIXES = (".pth", ".pt")
FINGERPRINT_BYTES = 16


@dataclass(frozen=True)
class StoredPair:
    """A pair as a file has it."""

    values: Tensor
    """(2, L, width) token embeddings or (2, D) vectors, float32, on the CPU."""
    end: Tensor | None
    """Where the prompts end, (2,) int64, if the file tells."""
    fingerprint: Tensor
    """Of its CLIP; zeros if the file does not tell."""


def read_pair(path: str | Path, keys: Sequence[str]) -> StoredPair:
    """Read a pair from a file of any known layout, or from a checkpoint.

    Args:
        path: the file.
        keys: the names that the pair may have there, without `module.`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be read, or holds no such pair, or several; it names the keys
            that it has.
    """
    content = read_tensors(path)
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    known = content if isinstance(content, Mapping) else {}
    stored = {
        str(name).removeprefix("module.").removeprefix("pair."): value
        for name, value in known.items()
    }
    found = [key for key in keys if isinstance(stored.get(key), Tensor)]
    if len(found) != 1:
        listed = [str(name) for name in known]
        some = ", ".join(listed[:8]) + (f", ... ({len(listed)})" if len(listed) > 8 else "")
        raise ValueError(
            f"{path} holds {'several pairs' if found else 'no pair'}: expected one of the keys "
            f"{', '.join(keys)}, bare or under 'module.' or 'pair.'; found {some or 'no keys'}"
        )
    unknown = torch.zeros(FINGERPRINT_BYTES, dtype=torch.uint8)
    return StoredPair(
        stored[found[0]].float(), stored.get("end"), stored.get("fingerprint", unknown)
    )


def write_pair(path: Path, content: Mapping[str, Any]) -> None:
    """Write what a pair has to tell; nothing is left half-written."""
    with replacing(path) as unfinished:
        torch.save(dict(content), unfinished)


def fingerprint_bytes(fingerprint: str) -> Tensor:
    """A CLIP's fingerprint as a tensor, (16,) uint8."""
    return torch.frombuffer(bytearray(fingerprint.encode()), dtype=torch.uint8)


def fingerprint_text(fingerprint: Tensor) -> str:
    """A CLIP's fingerprint; empty for zeros, which stand for an unknown one."""
    return bytes(fingerprint.tolist()).strip(b"\0").decode()
