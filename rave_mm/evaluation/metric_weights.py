"""Find the weights that a metric measures with."""

import pickle
import re
from http.client import HTTPException
from pathlib import Path

import torch

from rave_mm.evaluation.photo_metric import NotComputableError
from rave_mm.runtime.weights_folder import weights_folder

# What fetching raises. RuntimeError is PyTorch's, for a wrong checksum; URLError and time-outs are
# among OSError.
_FETCHING_ERRORS = (OSError, HTTPException, RuntimeError)
READING_ERRORS = (RuntimeError, EOFError, ValueError, OSError, pickle.UnpicklingError)
"""What reading a file that holds something else raises."""
LOADING_ERRORS = (*READING_ERRORS, LookupError, TypeError, AttributeError)
"""What reading a state dict of another network, and loading it, raises."""


def torch_hub_folder() -> Path:
    """Where PyTorch and torchvision keep what they fetch: ``~/.cache/torch/hub/checkpoints``."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_metric_weights(url: str, cache: Path) -> Path:
    """Find a file of weights, fetching it if it must be.

    It is looked for under its own name in ``$RAVE_MM_WEIGHTS`` (``~/.cache/rave_mm/weights``), then
    where the package it belongs to keeps it, and is fetched to there.

    Args:
        url: Where it comes from.
        cache: The folder of its package.

    Raises:
        NotComputableError: Which file is missing, where it comes from, and where to put it.
    """
    name = url.rpartition("/")[2]
    for folder in (weights_folder(), cache):
        if (folder / name).is_file():
            return folder / name
    # PyTorch's way to name files: the beginning of their SHA-256 before the suffix.
    prefix = re.search(r"-([0-9a-f]{8})\.", name)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url, str(cache / name), hash_prefix=prefix and prefix[1], progress=False
        )
    except _FETCHING_ERRORS as error:
        raise NotComputableError(
            f"the weights {name} are not on this machine and could not be fetched "
            f"({type(error).__name__}: {error})",
            f"Fetch {url} where there is internet and put it at {weights_folder() / name}",
        ) from error
    return cache / name
