"""Writes a CLIP's image tower and a residual vector as one ONNX file, which scores light.

Programs without PyTorch read it: :class:`rave_mm.web.guide.Guide`.
"""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.functional import normalize

from rave_mm.clip.encoder import FrozenCLIP
from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.runtime.whole_files import replacing

_SMALLEST = 1024


class LightScore(nn.Module):
    """How well lit a CLIP finds photographs, along RAVE's residual vector ``v``.

    ``s(x) = (<f(x), v> - b) / (t - b)``: 0 for the mean backlit photograph, whose projection is
    ``b``, and 1 for the mean well-lit one, whose is ``t``, the target of RAVE's guidance.

    Args:
        clip: The CLIP that gives ``f``.
        residual: The vector, of that CLIP, with its target.
        backlit: ``b``.

    Raises:
        ValueError: ``t`` is not above ``b``.
    """

    vector: Tensor

    def __init__(self, clip: FrozenCLIP, residual: ResidualVector, backlit: float) -> None:
        super().__init__()
        if not residual.target > backlit:
            raise ValueError(
                f"got a target of {residual.target:g}, and {backlit:g} for the backlit "
                "photographs; expected the target above: the vector does not tell them apart"
            )
        self.clip = clip
        self.visual: nn.Module = clip.visual
        self.register_buffer("vector", residual.vector)
        self.backlit, self.span = backlit, residual.target - backlit

    def forward(self, photo: Tensor) -> tuple[Tensor]:
        """Score (N,) of photographs (N, 3, S, S), RGB in [0, 1], S what the CLIP sees."""
        mean, std = (
            photo.new_tensor(each)[:, None, None] for each in (self.clip.mean, self.clip.std)
        )
        embedding = normalize(self.visual((photo - mean) / std), dim=-1)
        return ((embedding @ self.vector - self.backlit) / self.span,)


def backlit_projection(residual: ResidualVector, clouds: PhotoClouds) -> float:
    """``b``: the projection of the normalised mean embedding of the backlit photographs."""
    mean = normalize(clouds.backlit.embeddings.mean(0), dim=0)
    return float(mean @ residual.vector)


def export_guide(
    clip: FrozenCLIP, residual: ResidualVector, clouds: PhotoClouds, path: Path | str
) -> None:
    """Write the file; its weights are of half precision, and computed with in float32.

    Args:
        clip: The CLIP, on the CPU.
        residual: The vector, of that CLIP.
        clouds: The photographs that it was made of.
        path: Where to.

    Raises:
        ValueError: The vector does not tell the photographs apart.
        OSError: It cannot be written.
    """
    score = LightScore(clip, residual, backlit_projection(residual, clouds)).eval()
    side = clip.image_size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's exporter about itself
        program = torch.onnx.export(
            score,
            (torch.rand(1, 3, side, side),),
            dynamo=True,
            input_names=["photo"],
            output_names=["score"],
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    halve(model)
    told = {"side": side, "clip": clip.name, "clip_fingerprint": clip.fingerprint}
    helper.set_model_props(model, {name: str(value) for name, value in told.items()})
    with replacing(Path(path)) as unfinished:
        onnx.save(model, unfinished)


def halve(model: onnx.ModelProto) -> None:
    """Keep large weights as float16, with a cast to float32 behind each."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALLEST:
            continue
        name, half = tensor.name, numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
