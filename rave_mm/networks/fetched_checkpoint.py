"""Checkpoints that are named by their address, and kept on this machine."""

import hashlib
import re
import urllib.request
from pathlib import Path, PurePosixPath
from urllib.parse import urlparse

import torch
from tqdm import tqdm

from rave_mm.networks.published_checkpoints import UnknownCheckpointError
from rave_mm.runtime.file_hash import file_sha256
from rave_mm.runtime.whole_files import replacing

LARGEST = 4 * 10**9
"""Bytes; a checkpoint with its optimizer's state has some ten million."""
_BLOCK = 1 << 20
_HERE = ("localhost", "127.0.0.1", "::1")


def kept_at(address: str) -> Path:
    """Where a checkpoint that was fetched is kept: in PyTorch's cache."""
    # Many have the same name.
    digest = hashlib.sha256(address.partition("#")[0].encode()).hexdigest()[:12]
    name = f"{digest}-{PurePosixPath(urlparse(address).path).name}"
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def fetch_checkpoint(address: str) -> Path:
    """Fetch a checkpoint, unless that was done before.

    Args:
        address: `https://...`, or `http://` of this machine. It may end in `#sha256=` and the
            SHA-256 that the file is to have.

    Raises:
        UnknownCheckpointError: Another kind of address, a file of another hash, one that was cut on
            the way, or one of more than :data:`LARGEST` bytes.
        URLError: The address does not answer.
    """
    _check_kind(address)
    path = kept_at(address)
    if not path.is_file():
        with urllib.request.urlopen(address, timeout=60) as answer, replacing(path) as unfinished:
            _check_kind(answer.geturl())  # it may have sent us elsewhere
            length = int(answer.headers.get("Content-Length") or 0)
            _check_size(address, length)
            bar = tqdm(total=length or None, desc=path.name, unit="B", unit_scale=True, leave=False)
            with bar, unfinished.open("wb") as file:
                while block := answer.read(_BLOCK):
                    bar.update(len(block))
                    file.write(block)
                    _check_size(address, file.tell())
                if length and file.tell() != length:
                    raise UnknownCheckpointError(
                        f"{address}: got {file.tell()} of {length} bytes; the connection was cut, "
                        "try again"
                    )
            _check_hash(address, unfinished)
    _check_hash(address, path)
    return path


def _check_kind(address: str) -> None:
    parts = urlparse(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise UnknownCheckpointError(
            f"{address}: got an address of {parts.scheme}, expected https, where nobody on the way "
            "can change what is sent; name a file on this machine by its path"
        )


def _check_size(address: str, size: int) -> None:
    if size > LARGEST:
        raise UnknownCheckpointError(
            f"{address}: more than {LARGEST / 1e9:.0f} GB, which no checkpoint has"
        )


def _check_hash(address: str, path: Path) -> None:
    wanted = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", urlparse(address).fragment)
    if wanted and (found := file_sha256(path)) != wanted[1].lower():
        raise UnknownCheckpointError(
            f"{address}: got a file of SHA-256 {found}, which is another ({path})"
        )
