"""Cures that let MMagic 1.2.0 run beside today's PyTorch and NumPy.

Each cure is one function. It does nothing where it is not needed, may be called any number of
times, and returns whether this call changed anything. `apply` calls the three that training needs;
`rave_mm.register`, the module that a config imports, calls `apply`.
"""

import codecs
import functools
import importlib
import importlib.util
import os
import pickle
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

_EXTENSION = "mmcv._ext"
_HISTORY_STATISTICS = ("min", "max", "current", "mean")


class _MissingExtension(types.ModuleType):
    """Stands in for `mmcv._ext`: every name is a function that raises when it is called."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        # Import machinery probes dunder names and must not take them for operators.
        if name.startswith("__"):
            raise AttributeError(f"{self.__name__} has no attribute {name!r}")

        def missing_operator(*args: object, **kwargs: object) -> NoReturn:
            raise RuntimeError(
                f"mmcv's compiled operator {name!r} was called, but this installation has "
                "mmcv-lite, which has none. Models with such operators (deformable "
                "convolution, for one) need the full MMCV: see "
                "https://mmcv.readthedocs.io/en/latest/get_started/installation.html"
            )

        return missing_operator


def provide_mmcv_ops() -> bool:
    """Import `mmcv.ops` without its compiled extension.

    `mmagic.models` imports `mmcv.ops`, which looks up every operator of `mmcv._ext` while it is
    imported. A stand-in is there for just that time. Afterwards it is gone, since MMEngine takes
    a `mmcv._ext` that can be found for a full MMCV.

    Returns:
        True if `mmcv.ops` was imported over the stand-in; False if there was nothing to do:
        `mmcv.ops` is already imported, or a real extension is installed.

    Raises:
        ImportError: `mmcv` is not installed, or `mmcv.ops` does not import even so.
    """
    if "mmcv.ops" in sys.modules or importlib.util.find_spec(_EXTENSION) is not None:
        return False
    sys.modules[_EXTENSION] = _MissingExtension(_EXTENSION)
    try:
        importlib.import_module("mmcv.ops")
    finally:
        del sys.modules[_EXTENSION]
    return True


def _history_statistic(owner: object, name: str) -> Callable[..., Any]:
    """Take the place of `getattr` in MMEngine's checkpoints, for the four names they use."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in _HISTORY_STATISTICS:
        raise pickle.UnpicklingError(
            f"the checkpoint asks for attribute {name!r} of {owner!r}; an MMEngine checkpoint "
            f"asks only for {', '.join(_HISTORY_STATISTICS)} of HistoryBuffer. It was made by "
            "something else, or tampered with: do not load it"
        )
    statistic: Callable[..., Any] = getattr(HistoryBuffer, name)
    return statistic


@functools.cache
def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for `torch.load` to find under another name, in any PyTorch from 2.4 on."""

    def found(*arguments: Any) -> Any:
        return function(*arguments)

    found.__module__, _, found.__name__ = name.rpartition(".")
    found.__qualname__ = found.__name__
    return found


def allow_mmengine_checkpoints() -> bool:
    """Let `torch.load` read what MMEngine 0.10.7 writes, with `weights_only` still on.

    It refuses every class that it was not told of, and so refuses to resume: MMEngine keeps its
    logs as `HistoryBuffer`, that is NumPy arrays, and the best score as a NumPy number. Just these
    are allowed, under the names of NumPy 1 and of NumPy 2, so that a checkpoint moves between the
    two. A `HistoryBuffer` also asks for `getattr`; it gets a function that hands out the buffer's
    own four statistics and nothing else.

    Returns:
        True if the classes were allowed by this call; False if they are allowed already.
    """
    import torch
    from mmengine.logging import HistoryBuffer

    # `__reduce__` names both functions, wherever this NumPy keeps them.
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    allowed: list[Any] = [
        HistoryBuffer,
        codecs.encode,  # of the bytes of a NumPy number; PyTorch 2.4 does not know it
        _named("builtins.getattr", _history_statistic),
        np.ndarray,
        np.dtype,
        *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64", "bool")),
    ]
    for core in ("numpy.core", "numpy._core"):
        allowed.append(_named(f"{core}.multiarray._reconstruct", reconstruct))
        allowed.append(_named(f"{core}.multiarray.scalar", scalar))
    if set(allowed) <= set(torch.serialization.get_safe_globals()):
        return False
    torch.serialization.add_safe_globals(allowed)
    return True


def restore_numpy_bool8() -> bool:
    """Give NumPy 2 back the alias `np.bool8`, which MMagic still uses.

    Returns:
        True if the alias was set by this call; False if this NumPy has it.
    """
    # NumPy 1 serves the name from a module-level __getattr__ and warns, so it is not asked.
    if np.lib.NumpyVersion(np.__version__) < "2.0.0" or "bool8" in vars(np):
        return False
    vars(np)["bool8"] = np.bool_
    return True


def provide_mmagic_apis() -> bool:
    """Import `mmagic.apis` without controlnet_aux, which needs a compiler.

    One of its inferencers, that of animations, imports a detector of edges. A stand-in is there for
    just that time: that inferencer fails where it would detect edges, all others work.

    Returns:
        True if `mmagic.apis` was imported over the stand-in; False if there was nothing to do.
    """
    if "mmagic.apis" in sys.modules or importlib.util.find_spec("controlnet_aux") is not None:
        return False
    stand_in = types.ModuleType("controlnet_aux")
    stand_in.__dict__["HEDdetector"] = None
    sys.modules["controlnet_aux"] = stand_in
    try:
        importlib.import_module("mmagic.apis")
    finally:
        del sys.modules["controlnet_aux"]
    return True


def silence_import_noise() -> None:
    """Silence what the pinned packages say on every import and nobody can act on.

    Also keeps Albumentations from asking the network for a newer version of itself.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    for message, category in (
        (r"`?torch\.utils\._pytree\._register_pytree_node", FutureWarning),  # diffusers
        (r"pkg_resources is deprecated as an API", UserWarning),  # mmengine
    ):
        warnings.filterwarnings("ignore", message=message, category=category)


def apply() -> None:
    """Apply the cures that training needs, and silence the noise of the imports that follow."""
    silence_import_noise()
    restore_numpy_bool8()
    allow_mmengine_checkpoints()
    provide_mmcv_ops()
