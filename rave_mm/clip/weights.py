"""Find the weights of an open_clip model, and build the model that they belong to."""

import logging
import pickle
import struct
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from http.client import HTTPException
from pathlib import Path
from typing import Any

import open_clip
import torch
from mmengine.logging import print_log
from open_clip.model import CLIP, build_model_from_openai_state_dict
from open_clip.modified_resnet import ModifiedResNet
from open_clip.pretrained import download_pretrained
from open_clip.transform import PreprocessCfg, merge_preprocess_dict
from safetensors import SafetensorError, safe_open
from torch import Tensor

from rave_mm.clip.bundled import BUNDLED, BUNDLED_FOLDER
from rave_mm.clip.image_encoder import TIMM, ImageEncoder, build_image_encoder
from rave_mm.runtime.tensor_file import read_tensors
from rave_mm.runtime.weights_folder import weights_folder

#: Names no architecture: it is read off OpenAI's weights.
OPENAI = "openai"
_OWN_WEIGHTS = ("local-dir:", "hf-hub:")
_SUFFIXES = (".pt", ".pth", ".safetensors", ".bin")
# What only OpenAI's own files hold beside the weights.
_OPENAI_KEYS = {"input_resolution", "context_length", "vocab_size"}
# What fetching raises. RuntimeError is open_clip's, for a wrong checksum; TypeError comes of a
# server that does not tell the file's length.
_FETCHING_ERRORS = (OSError, HTTPException, RuntimeError, TypeError)
# What reading garbage raises: unpickling it ends in any of these.
_READING_ERRORS = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    SafetensorError,
)


class MissingWeightsError(FileNotFoundError):
    """A CLIP's weights are neither on this machine nor to be had."""


def find_weights(model: str, pretrained: str) -> Path:
    """Find the file of a model's weights, fetching it if it must be.

    Args:
        model: open_clip's name of the architecture.
        pretrained: a file, or open_clip's name of the weights ("openai", "laion2b_s34b_b79k", ...).

    Raises:
        MissingWeightsError: which file is missing, where it comes from, and where to put it; or
            open_clip knows no such model.
    """
    if Path(pretrained).expanduser().is_file():
        return Path(pretrained).expanduser()
    source = open_clip.get_pretrained_cfg(model, pretrained)
    if not source:
        _check_known(model)
        known = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        raise MissingWeightsError(
            f"no CLIP weights {pretrained!r} for {model}: it is no file, and open_clip knows these "
            f"names of weights for that model: {known}. Give the path of a file or one of the "
            "names."
        )
    by_hand = [weights_folder() / f"{model}-{pretrained}{suffix}" for suffix in _SUFFIXES]
    for path in by_hand:
        if path.is_file():
            return path
    try:
        return Path(download_pretrained(source))
    except _FETCHING_ERRORS as error:
        raise MissingWeightsError(
            f"the CLIP weights {pretrained!r} for {model} are not on this machine and could not be "
            f"fetched ({type(error).__name__}: {error}). They come from {_origin(source)}. Fetch "
            f"them where there is internet and put them at {by_hand[0]} (or "
            f"{', '.join(_SUFFIXES[1:])}), or name the file in the config: "
            f"clip=dict(model='{model}', pretrained='/path/to/file')."
        ) from error


def _check_known(model: str) -> None:
    """Refuse an architecture that open_clip does not know, whatever its weights are called."""
    architectures = [OPENAI, BUNDLED, *open_clip.list_models()]
    if model not in architectures:
        close = get_close_matches(model, architectures)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise MissingWeightsError(f"model: got {model!r}, which open_clip does not know{hint}")


def _origin(source: dict[str, Any]) -> str:
    return source.get("url") or f"https://huggingface.co/{source['hf_hub']}"


def _named_openais(path: Path) -> bool:
    """Whether weights are named as OpenAI's, by their file or their repository in a cache."""
    repositories = [part for part in path.parent.parts if part.startswith("models--")]
    return any("openai" in name.lower() for name in (path.name, *repositories))


def _read_openai(path: Path, any_state_dict: bool) -> dict[str, Tensor] | None:
    """The state dict of a file in OpenAI's own layout, or None.

    That layout is an archive of TorchScript or a plain state dict.
    """
    if path.suffix == ".safetensors":
        with safe_open(path, "pt"):  # refuses a file that is cut
            return None
    try:
        state = torch.jit.load(path, map_location="cpu").state_dict()
    except RuntimeError:  # no TorchScript archive
        state = read_tensors(path)
    if isinstance(state, dict) and (any_state_dict or state.keys() >= _OPENAI_KEYS):
        return state
    return None


def _build_openai(model: str, path: Path, state: dict[str, Tensor]) -> CLIP:
    """Build what OpenAI's weights tell, if it is what `model` names."""
    try:
        built = build_model_from_openai_state_dict(state, cast_dtype=torch.float32)
    except (KeyError, AssertionError, RuntimeError) as error:
        raise ValueError(f"{path} holds no weights in OpenAI's layout ({error!r})") from error
    if model == OPENAI:
        return built
    config = open_clip.get_model_config(model) or {}
    vision = config.get("vision_cfg", {})
    found = _image_tower(built)
    named = {key: config.get(key, vision.get(key)) for key in found}
    if found != named:
        raise ValueError(
            f"{path} holds OpenAI's weights of another model than {model}: got {found}, expected "
            f"{named}. Name the model that they belong to, or model='{OPENAI}' to have it read "
            "off the weights."
        )
    return built


def _image_tower(built: CLIP) -> dict[str, Any]:
    """The image tower in the words of open_clip's configs."""
    tower = built.visual
    if isinstance(tower, ModifiedResNet):
        stages = (tower.layer1, tower.layer2, tower.layer3, tower.layer4)
        layers: int | list[int] = [len(stage) for stage in stages]
        width, patch_size = tower.layer1[0].conv1.out_channels, None
        image_size = tower.image_size
    else:
        layers = len(tower.transformer.resblocks)
        width, patch_size = tower.conv1.out_channels, tower.conv1.kernel_size[0]
        image_size = tower.image_size[0]
    return {
        "embed_dim": tower.output_dim,
        "layers": layers,
        "width": width,
        "patch_size": patch_size,
        "image_size": image_size,
    }


@contextmanager
def _told_if_missing(model: str) -> Iterator[None]:
    """Say what to do where a model that brings its own weights could not be had."""
    try:
        yield
    except _FETCHING_ERRORS as error:
        raise MissingWeightsError(
            f"the CLIP {model} could not be had ({type(error).__name__}: {error}). Where there is "
            "no internet, fetch it elsewhere and name its folder, model='local-dir:FOLDER', or for "
            "one of timm's the file of its weights, pretrained='/path/to/file'"
        ) from error


def _build_timm(model: str, pretrained: str | None) -> tuple[ImageEncoder, PreprocessCfg]:
    name = model.removeprefix(TIMM)
    if pretrained is None:
        with _told_if_missing(model):
            return build_image_encoder(name, None)
    path = Path(pretrained).expanduser()
    if not path.is_file():
        raise MissingWeightsError(f"no weights {pretrained!r} for {model}: it is no file")
    try:
        return build_image_encoder(name, str(path))
    except _READING_ERRORS as error:  # KeyError too, of what timm looks for in another model's
        raise ValueError(f"{path} holds no weights of {model} ({error!r})") from error


def _usual_preprocessing(model: str, path: Path) -> dict[str, Any]:
    """What open_clip's known weights of a model have in common in how photos are prepared."""
    tags = open_clip.list_pretrained_tags_by_model(model)
    known = [open_clip.get_pretrained_cfg(model, tag) for tag in tags]
    usual = {}
    for key in ("mean", "std", "interpolation", "resize_mode"):
        values = {repr(one.get(key)): one.get(key) for one in known}
        if len(values) == 1:
            usual[key] = next(iter(values.values()))
        elif values:
            print_log(
                f"weights of {model} differ in the {key} of their photos ({', '.join(values)}) and "
                f"{path} does not tell: open_clip's default is used. If that is wrong, name "
                f"the weights as open_clip does ({', '.join(tags)}), or a folder in its layout",
                "current",
                logging.WARNING,
            )
    return usual


def build_clip(model: str, pretrained: str | None) -> tuple[CLIP | ImageEncoder, PreprocessCfg]:
    """Build an open_clip model, or an image encoder, in float32 and eval mode, with its weights.

    OpenAI trained with QuickGELU, which open_clip's plain model names do not have; their weights
    from a file end up in a model with it all the same. A file that could be theirs or another's
    (the bare weights look alike) is built as `model` says, with a warning.

    Args:
        model: open_clip's name, :data:`BUNDLED`, or `local-dir:FOLDER` or `hf-hub:OWNER/REPO` in
            open_clip's layout; `timm:NAME` for an encoder without a text tower; or :data:`OPENAI`
            for a file of weights in OpenAI's layout, which tell the architecture.
        pretrained: as in :func:`find_weights`; None for :data:`BUNDLED`, a folder and a repository,
            which hold theirs; of timm's, a file, or None to fetch it.

    Returns:
        The model, and how photos are prepared for it: as its own configuration says. Bare weights
        in a file tell nothing, and are prepared for as open_clip's known weights of that name.

    Raises:
        MissingWeightsError: no weights to be found, or open_clip knows no such model.
        ValueError: `pretrained` is missing, or given where the model has its own, or a file that
            is broken or whose weights do not fit the model.
    """
    if model == BUNDLED:
        model = f"local-dir:{BUNDLED_FOLDER}"
    if model.startswith(_OWN_WEIGHTS):
        if pretrained is not None:
            raise ValueError(
                f"pretrained: got {pretrained!r}, expected None, because {model} holds its own "
                "weights"
            )
        with _told_if_missing(model) if model.startswith("hf-hub:") else nullcontext():
            built = open_clip.create_model(model, require_pretrained=True)
        return built.float().eval(), PreprocessCfg(**built.visual.preprocess_cfg)
    if model.startswith(TIMM):
        encoder, preparation = _build_timm(model, pretrained)
        return encoder.float().eval(), preparation
    if pretrained is None:
        _check_known(model)
        raise ValueError(
            f"pretrained: got None for {model}; give a file or a name that open_clip knows, as "
            "'openai'"
        )
    path = find_weights(model, pretrained)
    source = open_clip.get_pretrained_cfg(model, pretrained) or {}
    try:
        openai = _read_openai(path, any_state_dict=model == OPENAI)
    except _READING_ERRORS as error:
        with path.open("rb") as file:
            head = file.read(16)
        raise ValueError(
            f"{path} is no CLIP weights file ({path.stat().st_size} bytes): it begins with "
            f"{head!r}, and reading it ended in {type(error).__name__}; delete it and fetch it "
            f"again from {_origin(source) if source else 'where it came from'}"
        ) from error
    if openai is not None:
        built = _build_openai(model, path, openai)
        return built.float().eval(), PreprocessCfg(size=built.visual.image_size)
    quickgelu = _named_openais(Path(pretrained)) and not model.endswith("-quickgelu")
    if quickgelu:
        print_log(f"{pretrained} are OpenAI's weights: {model} is built with QuickGELU", "current")
    elif path == Path(pretrained).expanduser() and not model.endswith("-quickgelu"):
        print_log(
            f"{pretrained} is built as {model}, without QuickGELU. If these are OpenAI's weights, "
            f"name {model}-quickgelu, or their features are wrong.",
            "current",
            logging.WARNING,
        )
    try:
        built = open_clip.create_model(model, pretrained=str(path), force_quick_gelu=quickgelu)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(
            f"{path} holds no weights of {model}: {error or 'their sizes differ'}. Name the model "
            "that they belong to."
        ) from error
    preprocess = merge_preprocess_dict(
        built.visual.preprocess_cfg, source or _usual_preprocessing(model, path)
    )
    return built.float().eval(), PreprocessCfg(**preprocess)
