"""Loads published RAVE and CLIP-LIT networks wherever MMEngine loads a checkpoint.

The published files (``rave_*.pth``, ``clip_lit_*.pth``, CLIP-LIT's ``enhancement_model.pth``)
hold the weights under other names, mostly with a ``module.`` prefix. MMEngine matches names and
only warns about what does not fit, so a wrong file would leave a network untrained. Here every
file is either recognised whole or refused with :class:`UnknownCheckpointError`.

``LightMapUNet`` calls :func:`adopt_published_keys` on every load, which covers its own
``init_cfg=dict(type="Pretrained", checkpoint=...)``. MMEngine hands a submodule only the keys
under its own prefix, so a model that holds the network as a submodule must call it too, before
``super()._load_from_state_dict``, for ``load_from`` and ``tools/test.py``.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from torch import Tensor, nn

GENERATOR_PREFIX = "generator."
"""Where MMagic's editing models keep the network in their own checkpoints."""

_WRAPPER_PREFIX = "module."
_NESTING_KEYS = ("state_dict", "params")


def _name_table() -> dict[str, str]:
    outer = {
        "cond1": "conv_in",
        "condx": "conv_widen",
        "condy": "conv_narrow",
        "cond_add1": "conv_out",
    }
    table = {
        f"{theirs}.{part}": f"{ours}.{part}"
        for theirs, ours in outer.items()
        for part in ("weight", "bias")
    }
    for block, ours in enumerate(
        ("shallow.0", "shallow.1", "deep.0", "deep.1", "final.0", "final.1"), start=1
    ):
        for conv in ("conv1", "conv2"):
            table[f"ResidualBlock{block}.{conv}.weight"] = f"{ours}.{conv}.weight"
    for branch in range(4):
        table[f"PPM1.features.{branch}.1.weight"] = f"pyramid.branches.{branch}.0.weight"
        table[f"PPM1.features.{branch}.2.weight"] = f"pyramid.branches.{branch}.1.weight"
    table["PPM1.fuse.0.weight"] = "pyramid.fusion.0.weight"
    table["PPM1.fuse.1.weight"] = "pyramid.fusion.1.weight"
    return table


PUBLISHED_NAMES: Mapping[str, str] = _name_table()
"""Published parameter name, without ``module.``, to that of ``LightMapUNet``."""

_OWN_NAMES = frozenset(PUBLISHED_NAMES.values())
_SMALL_VIEW_NAMES = frozenset({"view_side", "whole_view.weight"})


class UnknownCheckpointError(ValueError):
    """A checkpoint does not hold exactly the weights of a light-map network."""


def is_published(state_dict: Mapping[str, Any]) -> bool:
    """Whether the keys are just those of a published network, with or without ``module.``."""
    return {_unwrapped(key) for key in state_dict} == PUBLISHED_NAMES.keys()


def is_small_view(state_dict: Mapping[str, Any]) -> bool:
    """Whether the keys are those of a ``SmallViewLightMapNet``, as far as can be told."""
    return state_dict.keys() >= _SMALL_VIEW_NAMES


def convert_published(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of a published network.

    Args:
        state_dict: Weights under the published names, with or without ``module.``.

    Returns:
        The same tensors as a state dict of ``LightMapUNet``.

    Raises:
        UnknownCheckpointError: If the keys are not just the published ones.
    """
    if not is_published(state_dict):
        raise _unknown(state_dict)
    return {PUBLISHED_NAMES[_unwrapped(key)]: value for key, value in state_dict.items()}


def extract_generator_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Find the network's weights in a checkpoint of any known form.

    Known are published networks, state dicts of ``LightMapUNet`` and ``SmallViewLightMapNet``, and
    those of a model that holds one as ``generator``; each bare or under ``state_dict`` or
    ``params``, with or without ``module.`` prefixes. What a model holds beside its generator is
    left out.

    Args:
        checkpoint: What ``torch.load(path, map_location="cpu", weights_only=True)`` gives.

    Returns:
        State dict of ``LightMapUNet`` or ``SmallViewLightMapNet``.

    Raises:
        UnknownCheckpointError: If the checkpoint has none of these forms.
    """
    state_dict: Mapping[str, Any] = checkpoint
    while isinstance(state_dict, Mapping):
        nested = [key for key in _NESTING_KEYS if isinstance(state_dict.get(key), Mapping)]
        if not nested:
            break
        state_dict = state_dict[nested[0]]
    if not isinstance(state_dict, Mapping) or not all(isinstance(k, str) for k in state_dict):
        raise UnknownCheckpointError(
            f"got a checkpoint of type {type(state_dict).__name__}; expected a dict from "
            "parameter names to tensors, bare or under 'state_dict' or 'params'"
        )
    weights = {_unwrapped(key): value for key, value in state_dict.items()}
    held = _under(weights, GENERATOR_PREFIX)
    for candidate in (weights, held):
        candidate = {_unwrapped(key): value for key, value in candidate.items()}
        if is_published(candidate):
            return convert_published(candidate)
        if candidate.keys() == _OWN_NAMES or is_small_view(candidate):
            return candidate
    raise _unknown(held or weights)


def adopt_published_keys(
    state_dict: MutableMapping[str, Any], prefix: str = "", child: str = GENERATOR_PREFIX
) -> None:
    """Bring a state dict that is being loaded into the form that the module expects, in place.

    A model that keeps a ``LightMapUNet`` as ``self.generator`` writes::

        def _load_from_state_dict(self, state_dict, prefix, *args):
            adopt_published_keys(state_dict, prefix)
            super()._load_from_state_dict(state_dict, prefix, *args)

    A state dict that has keys under ``prefix + child`` stays as it is, with everything else that
    the model holds; whether those keys are complete is for the network to check. Any other form
    that :func:`extract_generator_weights` knows is replaced by the network's weights alone.

    Args:
        state_dict: As given to ``_load_from_state_dict``.
        prefix: As given to ``_load_from_state_dict``.
        child: Name of the network within the loading module, with a dot; ``""`` if the loading
            module is the network itself.

    Raises:
        UnknownCheckpointError: If the weights are not found.
    """
    found = _under(state_dict, prefix + child)
    if found.keys() == _OWN_NAMES or is_small_view(found) or (child and found):
        return
    weights = extract_generator_weights(_under(state_dict, prefix))
    for key in [key for key in state_dict if key.startswith(prefix)]:
        del state_dict[key]
    state_dict.update({prefix + child + key: value for key, value in weights.items()})


def check_weights(state_dict: Mapping[str, Any], network: nn.Module, prefix: str = "") -> None:
    """Refuse weights that are missing or of other sizes, which MMEngine would only warn about.

    Args:
        state_dict: What is to be loaded.
        network: What the weights are for.
        prefix: Before each of the network's names in the state dict.

    Raises:
        UnknownCheckpointError: A weight is missing or its shape differs; names all that do.
    """
    misfits = []
    for key, wanted in network.state_dict().items():
        shape = getattr(state_dict.get(prefix + key), "shape", None)
        if shape != wanted.shape:
            got = "no tensor" if shape is None else tuple(shape)
            misfits.append(f"{key}: {got} instead of {tuple(wanted.shape)}")
    if misfits:
        raise UnknownCheckpointError(
            f"the checkpoint is of another network than this {type(network).__name__}: "
            f"{_some(misfits)}; expected one of the same kind and widths, or a config whose "
            "generator is the checkpoint's network"
        )


def _under(state_dict: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)}


def _unwrapped(key: str) -> str:
    while key.startswith(_WRAPPER_PREFIX):
        key = key.removeprefix(_WRAPPER_PREFIX)
    return key


def _some(names: Iterable[str], most: int = 6) -> str:
    listed = list(names)
    more = f", ... ({len(listed)} in all)" if len(listed) > most else ""
    return (", ".join(listed[:most]) + more) if listed else "none"


def _unknown(state_dict: Mapping[str, Any]) -> UnknownCheckpointError:
    keys = [_unwrapped(key) for key in state_dict]
    ours, theirs = list(PUBLISHED_NAMES.values()), list(PUBLISHED_NAMES)
    nearest = max((ours, theirs), key=lambda names: len(set(names) & set(keys)))
    lines = [
        "this checkpoint holds no light-map network",
        f"found keys: {_some(keys)}",
        f"expected those of LightMapUNet, alone or under '{GENERATOR_PREFIX}': {_some(ours)}",
        f"or those of a published RAVE or CLIP-LIT network: {_some(theirs)}",
        f"or those of SmallViewLightMapNet, among them: {_some(sorted(_SMALL_VIEW_NAMES))}",
    ]
    if set(nearest) & set(keys):
        lines.append(f"missing: {_some(name for name in nearest if name not in keys)}")
        lines.append(f"not known: {_some(key for key in keys if key not in nearest)}")
    if not keys:
        lines.append(
            "if the network is part of another model, MMEngine passed it only the keys under the "
            "network's own prefix; load a published file through the network's own "
            "init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    return UnknownCheckpointError("\n  ".join(lines))
